//! Amounts as scripts take them: whole dollars, and pico-dollars.

use tower_llm_layers::{UsdAmount, budget::AccountRef};

const ONE: i128 = 1_000_000_000_000;

/// More dollars than any budget has, and few enough for a Lua number.
const MOST: i128 = 1_000_000_000_000_000;

/// The two parts of an amount that is not below zero.
pub(crate) fn parts(amount: UsdAmount) -> [String; 2] {
    let pico = amount.pico().clamp(0, MOST * ONE);
    [(pico / ONE).to_string(), (pico % ONE).to_string()]
}

/// The amount of two parts.
pub(crate) fn amount(dollars: &str, pico: &str) -> Option<UsdAmount> {
    let dollars: i128 = dollars.parse().ok()?;
    let pico: i128 = pico.parse().ok()?;
    Some(UsdAmount::from_pico(dollars.checked_mul(ONE)?.checked_add(pico)?))
}

/// What a script needs of each account: cap (two parts), window, soft.
pub(crate) fn line_arguments(line: &AccountRef) -> [String; 4] {
    let [dollars, pico] = parts(line.budget.cap());
    let window = line.budget.window().as_str().to_owned();
    [dollars, pico, window, u8::from(line.budget.is_soft()).to_string()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_exact_and_bounded() {
        for pico in [0, 1, ONE - 1, ONE, 5 * ONE + 7, MOST * ONE] {
            let [dollars, rest] = parts(UsdAmount::from_pico(pico));
            assert_eq!(amount(&dollars, &rest), Some(UsdAmount::from_pico(pico)));
        }
        assert_eq!(
            parts(UsdAmount::from_pico(i128::MAX)),
            parts(UsdAmount::from_pico(MOST * ONE))
        );
        assert_eq!(parts(UsdAmount::from_pico(-1)), ["0", "0"].map(str::to_owned));
    }
}
