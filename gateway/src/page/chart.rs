//! Spend over time as stacked bars: the numbers behind an SVG, and the same as text.

use tower_openrouter::{UsdAmount, layers::UtcTime};

use super::{
    show,
    spend::{MOST_GROUPS, OTHERS, Timeline},
};
use crate::calls::name as clean;

/// The height of the drawing, in its own units: thousandths of the largest bar.
const HEIGHT: i128 = 1_000;

/// A part of a bar.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Part {
    pub(super) x: usize,
    pub(super) y: i128,
    pub(super) height: i128,
    /// The number of its colour.
    pub(super) colour: usize,
    pub(super) title: String,
}

/// A bar, as text.
#[derive(Debug)]
pub(super) struct Bar {
    pub(super) label: String,
    pub(super) total: String,
}

/// A group, with its colour.
#[derive(Debug)]
pub(super) struct Group {
    pub(super) name: String,
    pub(super) colour: usize,
    pub(super) cost: String,
    pub(super) attempts: String,
    pub(super) tokens: String,
    pub(super) off_by: String,
}

#[derive(Debug)]
pub(super) struct Chart {
    pub(super) width: usize,
    pub(super) parts: Vec<Part>,
    pub(super) bars: Vec<Bar>,
    /// Under the bars, evenly: each begins under its own bar.
    pub(super) labels: Vec<String>,
    /// What a bar is.
    pub(super) unit: &'static str,
    pub(super) groups: Vec<Group>,
    /// The largest bar.
    pub(super) most: String,
    pub(super) total: String,
    /// What a reader who does not see it gets instead.
    pub(super) description: String,
}

impl Chart {
    pub(super) fn new(timeline: &Timeline, is_hourly: bool) -> Self {
        let colour = |group: &str| {
            let place = timeline.groups.iter().position(|(name, _)| name == group);
            place.filter(|place| *place < MOST_GROUPS).unwrap_or(MOST_GROUPS)
        };
        let sums: Vec<UsdAmount> = timeline.bars.iter().map(|(_, groups)| total(groups.values())).collect();
        let most = sums.iter().copied().max().unwrap_or(UsdAmount::ZERO);
        let mut parts = Vec::new();
        for (index, (_, groups)) in timeline.bars.iter().enumerate() {
            let label = label(timeline, index, is_hourly);
            parts.extend(stacked(
                index,
                groups.iter().map(|(name, cost)| (colour(name), &**name, *cost)),
                most,
                &label,
            ));
        }
        let bars: Vec<_> = sums
            .iter()
            .enumerate()
            .map(|(index, sum)| Bar {
                label: label(timeline, index, is_hourly),
                total: show::usd(*sum),
            })
            .collect();
        let all = total(timeline.groups.iter().map(|(_, spend)| &spend.cost));
        let largest = timeline.groups.first();
        let description = match largest.filter(|_| all > UsdAmount::ZERO) {
            Some((name, spend)) => format!(
                "{} in all; the largest part is {} with {}; at most {} in one {}",
                show::usd(all),
                clean(name),
                show::usd(spend.cost),
                show::usd(most),
                if is_hourly { "hour" } else { "day" }
            ),
            None => "nothing was spent".to_owned(),
        };
        Self {
            width: timeline.bars.len() * 10,
            parts,
            labels: labels(&bars),
            unit: if is_hourly { "per hour, UTC" } else { "per day, UTC" },
            bars,
            groups: groups(timeline),
            most: show::usd(most),
            total: show::usd(all),
            description,
        }
    }
}

/// Those of some bars: of 24 every third one, of 7 each, of 30 every fifth.
fn labels(bars: &[Bar]) -> Vec<String> {
    let step = [1, 2, 3, 4, 5]
        .into_iter()
        .find(|step| bars.len().is_multiple_of(*step) && bars.len() / step <= 8);
    let shown = bars.iter().step_by(step.unwrap_or(usize::MAX));
    shown.map(|bar| bar.label.clone()).collect()
}

fn groups(timeline: &Timeline) -> Vec<Group> {
    let group = |(place, (name, spend)): (usize, &(String, _))| {
        let spend: &tower_openrouter::layers::ledger::Spend = spend;
        Group {
            name: clean(name).into(),
            colour: place.min(MOST_GROUPS),
            cost: show::usd(spend.cost),
            attempts: show::grouped(spend.attempts),
            tokens: format!(
                "{} / {}",
                show::grouped(spend.prompt_tokens),
                show::grouped(spend.answer_tokens)
            ),
            off_by: show::usd(spend.estimate_error),
        }
    };
    timeline.groups.iter().enumerate().map(group).take(20).collect()
}

fn total<'a>(amounts: impl Iterator<Item = &'a UsdAmount>) -> UsdAmount {
    amounts.copied().fold(UsdAmount::ZERO, UsdAmount::saturating_add)
}

/// The parts of one bar, the largest group at the bottom.
fn stacked<'a>(
    index: usize,
    groups: impl Iterator<Item = (usize, &'a str, UsdAmount)>,
    most: UsdAmount,
    label: &str,
) -> Vec<Part> {
    let mut sums: Vec<(usize, String, UsdAmount)> = Vec::new();
    for (colour, name, cost) in groups {
        match sums.iter_mut().find(|(known, ..)| *known == colour) {
            Some((_, name, sum)) => {
                *sum = sum.saturating_add(cost);
                OTHERS.clone_into(name);
            }
            None => sums.push((colour, name.to_owned(), cost)),
        }
    }
    sums.sort_by_key(|(colour, ..)| *colour);
    let mut top = HEIGHT;
    let parts = sums.into_iter().filter(|(.., cost)| *cost > UsdAmount::ZERO);
    parts
        .map(|(colour, name, cost)| {
            // What was spent is seen, however little it is.
            let height = (cost.pico().saturating_mul(HEIGHT) / most.pico().max(1)).clamp(6, top.max(6));
            top = (top - height).max(0);
            Part {
                x: index * 10 + 1,
                y: top,
                height,
                colour,
                title: format!("{label}: {} {}", clean(&name), show::usd(cost)),
            }
        })
        .collect()
}

/// `14:00` or `25 Nov`, in UTC.
fn label(timeline: &Timeline, index: usize, is_hourly: bool) -> String {
    let at = timeline.bars.get(index).map_or(UtcTime::from_millis(0), |(at, _)| *at);
    // A day that is none of theirs: the date is shown.
    let text = show::moment(at, UtcTime::from_millis(0));
    let mut words = text.rsplitn(2, ' ');
    let (clock, day) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    if is_hourly { clock.to_owned() } else { day.to_owned() }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use tower_openrouter::layers::ledger::Spend;

    use super::*;

    fn usd(text: &str) -> UsdAmount {
        text.parse().unwrap()
    }

    #[test]
    fn bars_are_stacked_to_the_largest_one() {
        let at = |hour: u64| UtcTime::from_millis(1_709_164_800_000 + hour * 3_600_000);
        let bar = |costs: &[(&str, &str)]| -> BTreeMap<String, UsdAmount> {
            costs
                .iter()
                .map(|(name, cost)| ((*name).to_owned(), usd(cost)))
                .collect()
        };
        let mut spend = Spend::default();
        spend.cost = usd("3");
        let names = ["a", "b", "c", "d", "e", "f", "g"];
        let timeline = Timeline {
            groups: names.iter().map(|name| ((*name).to_owned(), spend)).collect(),
            bars: vec![
                (at(0), bar(&[("a", "3"), ("b", "1")])),
                (at(1), bar(&[("f", "1"), ("g", "0.5")])),
            ],
        };
        let chart = Chart::new(&timeline, true);
        let parts: Vec<_> = chart
            .parts
            .iter()
            .map(|part| (part.x, part.y, part.height, part.colour))
            .collect();
        assert_eq!(parts, [(1, 250, 750, 0), (1, 0, 250, 1), (11, 625, 375, 5)]);
        assert_eq!(chart.parts[2].title, "01:00: (others) $1.50");
        assert_eq!((chart.bars[1].label.as_str(), chart.most.as_str()), ("01:00", "$4.00"));
        assert!(chart.description.contains("largest part is a"));
        assert_eq!(
            (&*chart.labels, chart.unit),
            (&["00:00".to_owned(), "01:00".to_owned()][..], "per hour, UTC")
        );
        let days = Chart::new(&timeline, false);
        assert_eq!(days.bars[0].label, "29 Feb");
    }

    #[test]
    fn labels_stand_evenly_under_their_bars() {
        for (bars, shown) in [(24, 8), (7, 7), (30, 6), (1, 1), (11, 1)] {
            let bars: Vec<_> = (0..bars)
                .map(|bar| Bar {
                    label: bar.to_string(),
                    total: String::new(),
                })
                .collect();
            let labels = labels(&bars);
            assert_eq!((labels.len(), labels[0].as_str()), (shown, "0"));
        }
    }
}
