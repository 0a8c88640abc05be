//! Both sides in one picture. Its background is opaque, so that it can be read on a light and on a dark page.

use std::{collections::BTreeSet, error::Error, path::Path};

use plotters::{coord::Shift, prelude::*};

use crate::{
    side::Side,
    storm::{ALL_DOWN, CALLS_A_SECOND, CHAIN_DOWN, FIRST_DOWN, SECONDS},
};

/// Full, degraded and failed: distinguishable without colour vision too.
const COLORS: [RGBColor; 3] = [RGBColor(46, 125, 90), RGBColor(240, 180, 60), RGBColor(190, 50, 45)];
const NAMES: [&str; 3] = ["answered", "degraded", "failed"];
const OUTAGE: RGBColor = RGBColor(110, 110, 110);
/// Room for the legend at the right of the minute, in seconds.
const LEGEND: u64 = 7;

type Drawn = Result<(), Box<dyn Error>>;
type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;

/// The headline, the outcomes second by second, and below them first tokens and cost.
pub(crate) fn draw(file: &Path, sides: &[Side; 2], headline: &str, same: &BTreeSet<u64>) -> Drawn {
    let root = SVGBackend::new(file, (1000, 660)).into_drawing_area();
    root.fill(&WHITE)?;
    let root = root.titled(headline, ("sans-serif", 20))?;
    let rows = root.split_evenly((3, 1));
    for (area, side) in rows.iter().zip(sides) {
        outcomes(area, side)?;
    }
    if let Some(last) = rows.last() {
        let cells = last.split_evenly((1, 2));
        let [left, right] = &cells[..] else { return Ok(()) };
        let tail = |side: &Side| side.tally.borrow().first_token(same, 99).as_secs_f64();
        bars(
            left,
            "first token, p99, of calls that both answered (s)",
            sides.each_ref().map(|side| (side.name, tail(side))),
        )?;
        let cost = |side: &Side| side.billed_an_answer() * 1e6;
        bars(
            right,
            "billed per answer of a model (millionths of a dollar)",
            sides.each_ref().map(|side| (side.name, cost(side))),
        )?;
    }
    root.present()?;
    Ok(())
}

fn outcomes(area: &Area<'_>, side: &Side) -> Drawn {
    let most = CALLS_A_SECOND + 12;
    let title = format!("{}: calls by the second they began", side.name);
    let mut chart = ChartBuilder::on(area)
        .caption(title, ("sans-serif", 16))
        .margin(8)
        .x_label_area_size(36)
        .y_label_area_size(36)
        .build_cartesian_2d(0..SECONDS + LEGEND, 0..most)?;
    let mut mesh = chart.configure_mesh();
    mesh.disable_mesh().x_desc("seconds").y_desc("calls").draw()?;
    let seconds = side.tally.borrow().by_second();
    let height = |calls: &[usize]| u64::try_from(calls.iter().sum::<usize>()).unwrap_or(u64::MAX);
    for (layer, (color, name)) in COLORS.into_iter().zip(NAMES).enumerate() {
        let bars = seconds.iter().filter_map(|(second, counts)| {
            let [below, with] = [counts.get(..layer)?, counts.get(..=layer)?].map(height);
            (with > below).then(|| Rectangle::new([(*second, below), (second + 1, with)], color.filled()))
        });
        let series = chart.draw_series(bars)?.label(name);
        series.legend(move |(x, y)| Rectangle::new([(x, y - 5), (x + 14, y + 5)], color.filled()));
    }
    let spans = [
        (FIRST_DOWN, "first model down"),
        (CHAIN_DOWN.start..ALL_DOWN.start, "chain down"),
        (ALL_DOWN, "all down"),
    ];
    for (span, what) in spans {
        let line = [(span.start, CALLS_A_SECOND + 2), (span.end, CALLS_A_SECOND + 3)];
        chart.draw_series([Rectangle::new(line, OUTAGE.filled())])?;
        chart.draw_series([Text::new(what, (span.start, CALLS_A_SECOND + 10), ("sans-serif", 13))])?;
    }
    let mut legend = chart.configure_series_labels();
    legend.position(SeriesLabelPosition::MiddleRight);
    legend.background_style(WHITE).border_style(OUTAGE).draw()?;
    Ok(())
}

fn bars(area: &Area<'_>, title: &str, values: [(&str, f64); 2]) -> Drawn {
    let most = values.iter().map(|(_, value)| *value).fold(0.1, f64::max) * 1.2;
    let mut chart = ChartBuilder::on(area)
        .caption(title, ("sans-serif", 16))
        .margin(8)
        .x_label_area_size(8)
        .y_label_area_size(48)
        .build_cartesian_2d(0.0..2.0, 0.0..most)?;
    chart.configure_mesh().disable_mesh().x_labels(0).draw()?;
    let [full, ..] = COLORS;
    for ((name, value), (from, color)) in values.into_iter().zip([(0.2, OUTAGE), (1.2, full)]) {
        let body = Rectangle::new([(from, 0.0), (from + 0.6, value)], color.filled());
        chart.draw_series([body])?;
        let label = format!("{name}: {value:.2}");
        chart.draw_series([Text::new(label, (from, value + most / 12.0), ("sans-serif", 13))])?;
    }
    Ok(())
}
