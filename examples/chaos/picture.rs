//! Both sides in one picture.

use std::{error::Error, path::Path};

use plotters::{coord::Shift, prelude::*};

use crate::{
    side::Side,
    storm::{ALL_DOWN, CALLS_A_SECOND, FIRST_DOWN, SECONDS},
};

const ANSWERED: RGBColor = RGBColor(46, 125, 90);
const FAILED: RGBColor = RGBColor(196, 62, 52);
const OUTAGE: RGBColor = RGBColor(120, 120, 120);

type Drawn = Result<(), Box<dyn Error>>;
type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;

/// Answers and failures second by second, and below them first tokens and cost.
pub(crate) fn draw(file: &Path, sides: &[Side; 2]) -> Drawn {
    let root = SVGBackend::new(file, (1000, 640)).into_drawing_area();
    root.fill(&WHITE)?;
    let rows = root.split_evenly((3, 1));
    for (area, side) in rows.iter().zip(sides) {
        answers(area, side)?;
    }
    if let Some(last) = rows.last() {
        let cells = last.split_evenly((1, 2));
        let [left, right] = &cells[..] else { return Ok(()) };
        let tail = |side: &Side| side.tally.borrow().first_token(99).as_secs_f64();
        bars(
            left,
            "first token, p99 (s)",
            sides.each_ref().map(|side| (side.name, tail(side))),
        )?;
        let cost = |side: &Side| side.billed_an_answer() * 1e6;
        bars(
            right,
            "billed for each answer (millionths of a dollar)",
            sides.each_ref().map(|side| (side.name, cost(side))),
        )?;
    }
    root.present()?;
    Ok(())
}

fn answers(area: &Area<'_>, side: &Side) -> Drawn {
    let most = CALLS_A_SECOND + 10;
    let title = format!(
        "{}: answered (green) and failed (red) calls by the second they began",
        side.name
    );
    let mut chart = ChartBuilder::on(area)
        .caption(title, ("sans-serif", 16))
        .margin(8)
        .x_label_area_size(36)
        .y_label_area_size(36)
        .build_cartesian_2d(0..SECONDS, 0..most)?;
    let mut mesh = chart.configure_mesh();
    mesh.disable_mesh().x_desc("seconds").y_desc("calls").draw()?;
    let bar = |from: u64, second: u64, height: u64, color: RGBColor| {
        Rectangle::new([(second, from), (second + 1, from + height)], color.filled())
    };
    let seconds = side.tally.borrow().by_second();
    let count = |calls: usize| u64::try_from(calls).unwrap_or(u64::MAX);
    chart.draw_series(
        seconds
            .iter()
            .map(|(second, answered, _)| bar(0, *second, count(*answered), ANSWERED)),
    )?;
    chart.draw_series(
        seconds
            .iter()
            .map(|(second, answered, failed)| bar(count(*answered), *second, count(*failed), FAILED)),
    )?;
    let spans = [(FIRST_DOWN, "first model down"), (ALL_DOWN, "all down")];
    chart.draw_series(spans.iter().map(|(span, _)| {
        Rectangle::new(
            [(span.start, CALLS_A_SECOND + 2), (span.end, CALLS_A_SECOND + 3)],
            OUTAGE.filled(),
        )
    }))?;
    chart.draw_series(spans.map(|(span, what)| Text::new(what, (span.start, most), ("sans-serif", 12))))?;
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
    for ((name, value), (from, color)) in values.into_iter().zip([(0.2, OUTAGE), (1.2, ANSWERED)]) {
        let body = Rectangle::new([(from, 0.0), (from + 0.6, value)], color.filled());
        chart.draw_series(std::iter::once(body))?;
        let label = format!("{name}: {value:.2}");
        chart.draw_series(std::iter::once(Text::new(
            label,
            (from, value + most / 12.0),
            ("sans-serif", 13),
        )))?;
    }
    Ok(())
}
