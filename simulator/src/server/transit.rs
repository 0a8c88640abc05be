//! Keeps tokio's paused clock from running ahead of bytes that the kernel still carries.
//!
//! A paused clock jumps to the next timer as soon as every task waits. On a busy machine the kernel may deliver the bytes of a
//! loopback connection late: then all tasks wait, and a timeout of seconds would end an answer that is on its way. So after each
//! write a task stays ready, which holds the clock, until a byte that was written later has come through a connection of its own:
//! the kernel delivers packets of one processor in the order in which they were sent. A large write takes several turns of
//! its reader; Linux reports those in a table. While the clock runs, nothing is done.

use std::io;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use tokio::io::AsyncWriteExt as _;
use tokio::net::{TcpListener, TcpStream};

use crate::written::Written;

/// Half of the window that Linux opens for a new loopback connection: so much is delivered without a turn of its reader.
const ONE_TURN: u64 = 32 * 1024;
/// How often nothing may have moved before the reader is taken for one that does not read.
const TURNS: u8 = 3;
/// The longest, of real time, that the clock is held for one byte.
const LONGEST: Duration = Duration::from_secs(1);

/// Holds the clock after each write to a connection of the server at `address`, without end.
pub(super) async fn hold_the_clock(written: &Written, address: SocketAddr) {
    let mut probe = None;
    loop {
        let bytes = written.next().await;
        if !is_paused() {
            continue;
        }
        if probe.is_none() {
            probe = Probe::new().await.ok();
        }
        let passed = match &mut probe {
            Some(open) => delivered(open, bytes, address).await,
            None => Ok(()),
        };
        if passed.is_err() {
            probe = None;
        }
    }
}

async fn delivered(probe: &mut Probe, bytes: u64, address: SocketAddr) -> io::Result<()> {
    probe.pass().await?;
    let (mut before, mut turns) = (0, 0);
    while bytes > ONE_TURN && turns < TURNS {
        let now = undelivered(address);
        if now == 0 {
            break;
        }
        turns = if now == before { turns + 1 } else { 0 };
        before = now;
        probe.pass().await?;
    }
    Ok(())
}

/// A loopback connection of its own.
struct Probe {
    near: TcpStream,
    far: TcpStream,
}

impl Probe {
    async fn new() -> io::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let near = TcpStream::connect(listener.local_addr()?).await?;
        near.set_nodelay(true)?;
        let (far, _) = listener.accept().await?;
        Ok(Self { near, far })
    }

    /// Returns when all that this thread sent before has been delivered, and every task that waited for it has had its turn.
    async fn pass(&mut self) -> io::Result<()> {
        #[expect(clippy::disallowed_methods, reason = "virtual time stands still meanwhile")]
        let begun = Instant::now(); // house-ok: virtual time stands still meanwhile
        self.near.write_all(&[0]).await?;
        loop {
            // Everything else that is ready goes first.
            tokio::task::yield_now().await;
            match self.far.try_read(&mut [0]) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock && begun.elapsed() < LONGEST => {
                    std::thread::yield_now();
                }
                Err(error) => return Err(error),
                Ok(_) => return Ok(()),
            }
        }
    }
}

/// Whether tokio's clock stands still while the machine's runs.
fn is_paused() -> bool {
    #[expect(clippy::disallowed_methods, reason = "it shows whether tokio's clock is paused")]
    let (virtual_time, real) = (tokio::time::Instant::now(), Instant::now()); // house-ok: it shows whether the clock is paused
    while real.elapsed() < Duration::from_micros(1) {
        std::hint::spin_loop();
    }
    tokio::time::Instant::now() == virtual_time
}

/// The bytes that the peers of all connections of this server have not acknowledged; 0 if the system does not report them.
fn undelivered(address: SocketAddr) -> u64 {
    let table = if address.is_ipv4() {
        "/proc/net/tcp"
    } else {
        "/proc/net/tcp6"
    };
    std::fs::read_to_string(table).map_or(0, |rows| unacknowledged(&rows, address.port()))
}

fn unacknowledged(table: &str, port: u16) -> u64 {
    table.lines().skip(1).filter_map(|row| of_row(row, port)).sum()
}

/// `0: LOCAL:PORT REMOTE:PORT STATE UNACKNOWLEDGED:UNREAD …`, all of it hexadecimal.
fn of_row(row: &str, port: u16) -> Option<u64> {
    let mut columns = row.split_ascii_whitespace().skip(1);
    let ends = [columns.next()?, columns.next()?];
    let is_ours = |end: &str| {
        let port_of = end.rsplit_once(':').map(|(_, port)| u16::from_str_radix(port, 16));
        port_of == Some(Ok(port))
    };
    if !ends.into_iter().any(is_ours) {
        return None;
    }
    let (unacknowledged, _) = columns.nth(1)?.split_once(':')?;
    u64::from_str_radix(unacknowledged, 16).ok()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{Probe, is_paused, unacknowledged};

    const TABLE: &str =
        "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 1 1 0 100 0 0 10 0
   1: 0100007F:1F90 0100007F:D431 01 0000A000:00000000 01:00000000 00000000     0        0 2 1 0 20 4 30 10 -1
   2: 0100007F:D431 0100007F:1F90 01 00000001:00000200 00:00000000 00000000     0        0 3 1 0 20 4 30 10 -1
   3: 0100007F:1F91 0100007F:D433 01 00000009:00000000 00:00000000 00000000     0        0 4 1 0 20 4 30 10 -1
   odd
";

    #[test]
    fn both_ends_of_connections_with_the_port_count() {
        assert_eq!(unacknowledged(TABLE, 0x1F90), 0xA001);
        assert_eq!(unacknowledged(TABLE, 0x1F91), 9);
        assert_eq!(unacknowledged(TABLE, 80) + unacknowledged("", 80), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn a_paused_clock_is_distinguished_from_one_that_runs() {
        assert!(is_paused());
        tokio::time::resume();
        assert!(!is_paused());
    }

    #[tokio::test(start_paused = true)]
    async fn the_clock_stands_while_a_byte_is_on_its_way() {
        let begun = tokio::time::Instant::now();
        let timer = tokio::spawn(tokio::time::sleep(Duration::from_secs(1)));
        let mut probe = Probe::new().await.unwrap();
        for _ in 0..1_000 {
            probe.pass().await.unwrap();
        }
        assert!(begun.elapsed().is_zero() && !timer.is_finished());
    }
}
