//! Charts as inline SVG: stacked bars over time, sparklines, a heat map, single bars. Colours are classes,
//! so that the style sheet themes them; places are percentages, so that text keeps its size at any width.
//! Each chart has titles for the pointer and a table of its numbers.

use std::fmt::Write as _;

use maud::{Markup, html};

use super::format::{self, Show};
use crate::flows::report::{Bucket, Heat};
use gzette_core::model::{DAY_MS, HOUR_MS, UtcMs};

/// The number of series with a colour of their own; the rest are summed up as one more.
pub(super) const COLOURS: usize = 7;
/// The plot's height and the margins above and below it, in CSS pixels.
const PLOT_PX: u32 = 208;
const ABOVE_PX: u32 = 10;
const BELOW_PX: u32 = 26;
/// No chart has more bars than this, whatever the view holds.
const MAX_BARS: i64 = 800;
/// The shades of the heat map above "none".
const SHADES: u64 = 7;

/// Bars over time, stacked by series.
pub(super) struct Chart {
    /// What the picture shows, for those who do not see it.
    pub(super) label: String,
    /// What is counted, singular.
    pub(super) noun: &'static str,
    /// The series, the lowest of the stack first.
    pub(super) series: Vec<Series>,
    /// The span of a bucket.
    pub(super) bucket_ms: i64,
    /// The end of the time shown.
    pub(super) now_ms: UtcMs,
    /// A moment to mark, with its name.
    pub(super) mark: Option<(UtcMs, &'static str)>,
}

/// One colour of a chart.
pub(super) struct Series {
    /// Its name, fit for a page.
    pub(super) name: String,
    /// The class of its colour.
    pub(super) class: String,
    /// Its counts.
    pub(super) buckets: Vec<Bucket>,
}

/// The chart's numbers for bars of one width.
struct Grid {
    start_ms: UtcMs,
    step_ms: i64,
    /// `columns[bar][series]`
    columns: Vec<Vec<u64>>,
    /// The value of the highest grid line, and of the lowest above zero.
    top: u64,
    rung: u64,
}

impl Chart {
    /// Returns the chart with bars of `wide_ms` for wide screens and `narrow_ms` for phones; its table has
    /// the numbers of the latter.
    pub(super) fn render(&self, wide_ms: i64, narrow_ms: i64) -> Markup {
        let wide = self.grid(wide_ms);
        let narrow = self.grid(narrow_ms);
        html! {
            figure.chart {
                div.plot.wide { (self.plot(&wide, 8)) }
                div.plot.narrow { (self.plot(&narrow, 4)) }
                (self.table(&narrow))
            }
        }
    }

    fn grid(&self, step_ms: i64) -> Grid {
        let step_ms = step_ms.max(self.bucket_ms);
        let starts = || self.series.iter().flat_map(|series| &series.buckets).map(|bucket| bucket.start_ms);
        let start_ms = starts().min().unwrap_or_default().start_of(step_ms);
        let place = |at: UtcMs| ((at - start_ms) / step_ms).min(MAX_BARS - 1) as usize;
        let bars = starts().max().map_or(0, |last| place(last) + 1);
        let mut columns = vec![vec![0; self.series.len()]; bars];
        for (layer, series) in self.series.iter().enumerate() {
            for bucket in &series.buckets {
                columns[place(bucket.start_ms)][layer] += bucket.events;
            }
        }
        let peak = columns.iter().map(|column| column.iter().sum()).max().unwrap_or(0);
        let rung = rung(peak);
        Grid { start_ms, step_ms, columns, top: peak.div_ceil(rung).max(1) * rung, rung }
    }

    fn plot(&self, grid: &Grid, max_labels: i64) -> Markup {
        let height = PLOT_PX + ABOVE_PX + BELOW_PX;
        html! {
            svg.axis aria-hidden="true" height=(height) {
                @for value in grid.rungs() {
                    @let y = f64::from(ABOVE_PX) + f64::from(PLOT_PX) * (1.0 - value as f64 / grid.top as f64);
                    text x="100%" y=(format!("{:.1}", y + 4.0)) { (short(value)) }
                }
            }
            svg.bars role="img" aria-label=(self.label) height=(height) {
                svg y=(ABOVE_PX) height=(PLOT_PX) {
                    @for value in grid.rungs() {
                        @let y = percent(1.0 - value as f64 / grid.top as f64);
                        line.grid x1="0" x2="100%" y1=(y) y2=(y) {}
                    }
                    (self.stacks(grid))
                    (self.hits(grid))
                    (self.marks(grid))
                }
                (labels(grid, max_labels, height))
            }
        }
    }

    /// One path a series, in a box stretched over the plot: a tenth of a bar wide, a thousandth high.
    fn stacks(&self, grid: &Grid) -> Markup {
        let mut base = vec![0_u64; grid.columns.len()];
        let unit = 1000.0 / grid.top as f64;
        let gap = if grid.columns.len() > 100 { 1 } else { 2 };
        html! {
            svg viewBox=(format!("0 0 {} 1000", grid.columns.len() * 10)) preserveAspectRatio="none" {
                @for (layer, series) in self.series.iter().enumerate() {
                    @let path = stack_path(grid, layer, &mut base, unit, gap);
                    @if !path.is_empty() { path class=(series.class) d=(path) {} }
                }
            }
        }
    }

    /// A clear column over each bar with something in it, to carry its title.
    fn hits(&self, grid: &Grid) -> Markup {
        let width = percent(1.0 / grid.columns.len().max(1) as f64);
        html! {
            @for (bar, column) in grid.columns.iter().enumerate() {
                @if column.iter().any(|&events| events > 0) {
                    rect.hit x=(percent(bar as f64 / grid.columns.len() as f64)) width=(width) height="100%" {
                        title { (self.title(grid, bar, column)) }
                    }
                }
            }
        }
    }

    fn title(&self, grid: &Grid, bar: usize, column: &[u64]) -> String {
        let all: u64 = column.iter().sum();
        let mut out = format!("{}: {}", grid.period(bar), format::counted(all, self.noun));
        if self.series.len() > 1 {
            for (series, &events) in self.series.iter().zip(column) {
                if events > 0 {
                    let _ = write!(out, "\n{} {}", format::count(events), series.name);
                }
            }
        }
        out
    }

    /// Now, to the hour (so that a page without news keeps its bytes for an hour), and the mark.
    fn marks(&self, grid: &Grid) -> Markup {
        let hour_ms = self.now_ms.start_of(HOUR_MS) + HOUR_MS / 2;
        let now = grid.place(hour_ms);
        let mark = self.mark.and_then(|(at, name)| Some((grid.place(at)?, name)));
        html! {
            @if let Some(x) = now { line.now x1=(percent(x)) x2=(percent(x)) y1="0" y2="100%" {} }
            @if let Some((x, name)) = mark {
                line.mark x1=(percent(x)) x2=(percent(x)) y1="0" y2="100%" {}
                // The marked range begins here, so the label goes to its left if there is room.
                text.mark x=(percent(x)) y="12" dx=(if x > 0.2 { -6 } else { 6 })
                    text-anchor=(if x > 0.2 { "end" } else { "start" }) { (name) }
            }
        }
    }

    fn table(&self, grid: &Grid) -> Markup {
        let many = self.series.len() > 1;
        html! {
            details.numbers {
                summary { "Show the numbers as a table" }
                div.scroll tabindex="0" role="region" aria-label=(format!("Table: {}", self.label)) {
                    table {
                        thead { tr {
                            th scope="col" { "UTC" }
                            @for series in &self.series { th.n scope="col" { bdi { (series.name) } } }
                            @if many { th.n scope="col" { "All" } }
                        } }
                        tbody { @for (bar, column) in grid.columns.iter().enumerate() {
                            tr {
                                th scope="row" { (grid.period(bar)) }
                                @for &events in column { td.n { (format::count(events)) } }
                                @if many { td.n { (format::count(column.iter().sum())) } }
                            }
                        } }
                    }
                }
            }
        }
    }
}

impl Grid {
    fn rungs(&self) -> impl Iterator<Item = u64> + '_ {
        (0..=self.top / self.rung).map(|step| step * self.rung)
    }

    fn end_ms(&self) -> UtcMs {
        self.start_ms + self.step_ms * self.columns.len() as i64
    }

    /// Returns where a time is, 0 to 1; `None` outside.
    fn place(&self, at: UtcMs) -> Option<f64> {
        let inside = (self.start_ms..=self.end_ms()).contains(&at) && !self.columns.is_empty();
        inside.then(|| (at - self.start_ms) as f64 / (self.end_ms() - self.start_ms) as f64)
    }

    /// Returns `Mon 23 Nov 14:00–15:00`, or the day for bars of whole days.
    fn period(&self, bar: usize) -> String {
        let from = self.start_ms + bar as i64 * self.step_ms;
        let day = format!("{} {}", format::weekday(from), format::day(from));
        if self.step_ms >= DAY_MS {
            return day;
        }
        let clock = |at| format::text(at, Show::Clock);
        format!("{day} {}–{}", clock(from), clock(from + self.step_ms))
    }
}

fn stack_path(grid: &Grid, layer: usize, base: &mut [u64], unit: f64, gap: i32) -> String {
    let mut path = String::new();
    for (bar, column) in grid.columns.iter().enumerate() {
        let events = column[layer];
        if events == 0 {
            continue;
        }
        let y = |value: u64| ((value as f64 * unit).round() as i64).clamp(0, 1000);
        let (low, high) = (y(base[bar]), y(base[bar] + events));
        // A bar that rounds to nothing would hide an event.
        let tall = (high - low).max(if base[bar] == 0 { 6 } else { 1 });
        let _ = write!(path, "M{} {}h{}v-{tall}h-{}z", bar * 10, 1000 - low, 10 - gap, 10 - gap);
        base[bar] += events;
    }
    path
}

/// Labels below the plot and their ticks: the finest of the usual steps with at most `max_labels` labels.
fn labels(grid: &Grid, max_labels: i64, height: u32) -> Markup {
    const STEPS: [i64; 8] =
        [HOUR_MS, 3 * HOUR_MS, 6 * HOUR_MS, 12 * HOUR_MS, DAY_MS, 2 * DAY_MS, 4 * DAY_MS, 7 * DAY_MS];
    let whole = grid.end_ms() - grid.start_ms;
    let step = STEPS.into_iter().find(|step| whole / step <= max_labels).unwrap_or(whole.max(1));
    let first = grid.start_ms.start_of(step);
    let shown = |at: UtcMs| {
        if step >= DAY_MS || at == at.start_of(DAY_MS) {
            format::day(at)
        } else {
            format::text(at, Show::Clock)
        }
    };
    let ticks: Vec<(f64, String)> = (0..=max_labels + 1)
        .filter_map(|place| {
            let at = first + place * step;
            grid.place(at).filter(|&x| x < 0.96).map(|x| (x, shown(at)))
        })
        .collect();
    // The last label would leave the plot: it ends where the plot does.
    let last_start = if max_labels > 4 { 0.93 } else { 0.82 };
    html! {
        @for (x, label) in ticks {
            line.tick x1=(percent(x)) x2=(percent(x)) y1=(ABOVE_PX + PLOT_PX) y2=(ABOVE_PX + PLOT_PX + 6) {}
            @if x > last_start { text.last x="100%" y=(height - 6) { (label) } }
            @else { text x=(percent(x)) y=(height - 6) dx=(if x < 0.001 { 0 } else { 3 }) { (label) } }
        }
    }
}

/// The last hours as a row of small bars, ending with the hour of `now_ms`.
pub(super) fn sparkline(hours: &[u64], now_ms: UtcMs, noun: &str) -> Markup {
    let all: u64 = hours.iter().sum();
    let peak = hours.iter().copied().max().unwrap_or(0);
    let mut label = format!("{} in the last {} hours", format::counted(all, noun), hours.len());
    if let Some(place) = hours.iter().position(|&events| events == peak && peak > 0) {
        let at = now_ms.start_of(HOUR_MS) - (hours.len() - 1 - place) as i64 * HOUR_MS;
        let _ = write!(label, ", most at {} ({})", format::text(at, Show::Clock), format::count(peak));
    }
    let mut path = String::new();
    for (place, &events) in hours.iter().enumerate().filter(|(_, events)| **events > 0) {
        let tall = ((events as f64 / peak as f64 * 24.0).round() as u64).max(2);
        let _ = write!(path, "M{} 24h3v-{tall}h-3z", place * 4);
    }
    html! {
        svg.spark role="img" aria-label=(label) viewBox=(format!("0 0 {} 25", (hours.len() * 4).max(4))) {
            title { (label) }
            path.ground d=(format!("M0 24.5h{}", hours.len() * 4)) {}
            @if !path.is_empty() { path d=(path) {} }
        }
    }
}

/// A single bar of `value` against `peak`.
pub(super) fn bar(value: u64, peak: u64, class: &str) -> Markup {
    let width = if value == 0 { 0.0 } else { (value as f64 / peak.max(1) as f64).clamp(0.006, 1.0) };
    html! {
        svg.bar aria-hidden="true" height="12" {
            rect.rail width="100%" height="12" rx="3" {}
            @if value > 0 { rect class=(class) width=(percent(width)) height="12" rx="3" {} }
        }
    }
}

/// Errors by weekday and hour.
pub(super) fn heat(heat: &Heat) -> Markup {
    let peak = heat.cells.iter().flatten().copied().max().unwrap_or(0);
    let all: u64 = heat.cells.iter().flatten().sum();
    html! {
        figure.chart {
            div.heat {
                svg.axis aria-hidden="true" height="198" {
                    @for (row, day) in format::weekdays().iter().enumerate() {
                        text x="100%" y=(row * 26 + 33) { (day) }
                    }
                }
                svg.cells role="img" height="198"
                    aria-label=(format!("Errors by weekday and hour over 28 days: {} in all", format::counted(all, "error"))) {
                    @for hour in (0..24).step_by(3) {
                        text x=(percent(f64::from(hour) / 24.0)) y="10" { (format!("{hour:02}")) }
                    }
                    @for (row, cells) in heat.cells.iter().enumerate() {
                        @for (hour, &events) in cells.iter().enumerate() {
                            rect class=(format!("h{}", shade(events, peak))) x=(percent(hour as f64 / 24.0))
                                y=(row * 26 + 17) width="3.7%" height="23" rx="3" {
                                title { (format!("{} {hour:02}:00–{:02}:00: {}", format::weekdays()[row], hour + 1,
                                    format::counted(events, "error"))) }
                            }
                        }
                    }
                }
            }
            (heat_key(peak))
            (heat_table(heat))
        }
    }
}

fn heat_key(peak: u64) -> Markup {
    html! {
        p.key {
            "0 "
            svg.keys aria-hidden="true" width="144" height="12" {
                @for shade in 0..=SHADES {
                    rect class=(format!("h{shade}")) x=(shade * 18) width="16" height="12" rx="2" {}
                }
            }
            " " (format::count(peak)) " an hour of the week, UTC"
        }
    }
}

fn heat_table(heat: &Heat) -> Markup {
    html! {
        details.numbers {
            summary { "Show the numbers as a table" }
            div.scroll tabindex="0" role="region" aria-label="Table: errors by weekday and hour" {
                table {
                    thead { tr {
                        th scope="col" { "UTC" }
                        @for day in format::weekdays() { th.n scope="col" { (day) } }
                    } }
                    tbody { @for hour in 0..24 {
                        tr {
                            th scope="row" { (format!("{hour:02}:00")) }
                            @for cells in &heat.cells { td.n { (format::count(cells[hour])) } }
                        }
                    } }
                }
            }
        }
    }
}

/// Shades by the square root, so that one bad hour does not wash out the rest of the week.
fn shade(events: u64, peak: u64) -> u64 {
    if events == 0 {
        return 0;
    }
    let share = (events as f64 / peak.max(1) as f64).sqrt();
    ((share * SHADES as f64).ceil() as u64).clamp(1, SHADES)
}

/// Returns the step of the grid: 1, 2 or 5 times a power of ten, at most five of them up to `peak`.
fn rung(peak: u64) -> u64 {
    let mut power = 1_u64;
    loop {
        for digit in [1, 2, 5] {
            let rung = power.saturating_mul(digit);
            if rung.saturating_mul(5) >= peak {
                return rung;
            }
        }
        power = power.saturating_mul(10);
    }
}

/// Returns `1.2k`, `3M`: a number short enough for an axis or a side remark.
pub(super) fn short(value: u64) -> String {
    let units = [(1_000_000_000_u64, "G"), (1_000_000, "M"), (1_000, "k")];
    for (unit, letter) in units {
        if value >= unit {
            let text = format!("{:.1}", value as f64 / unit as f64);
            return format!("{}{letter}", text.trim_end_matches(".0"));
        }
    }
    value.to_string()
}

fn percent(share: f64) -> String {
    let text = format!("{:.2}", share * 100.0);
    let text = text.trim_end_matches('0').trim_end_matches('.');
    format!("{text}%")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chart(counts: &[&[u64]]) -> Chart {
        let series = counts.iter().enumerate().map(|(place, counts)| Series {
            name: format!("app-{place}"),
            class: format!("s{place}"),
            buckets: (0_i64..)
                .zip(*counts)
                .map(|(hour, &events)| Bucket { start_ms: UtcMs::new(hour * HOUR_MS), events })
                .collect(),
        });
        Chart {
            label: "Errors".to_owned(),
            noun: "error",
            series: series.collect(),
            bucket_ms: HOUR_MS,
            now_ms: UtcMs::new(2 * HOUR_MS),
            mark: None,
        }
    }

    #[test]
    fn bars_stack_without_gaps_up_to_the_top() {
        let chart = chart(&[&[1, 0, 3], &[1, 4, 1]]);
        let grid = chart.grid(HOUR_MS);
        assert_eq!((grid.top, grid.rung), (4, 1));
        let mut base = vec![0; 3];
        let first = stack_path(&grid, 0, &mut base, 250.0, 2);
        let second = stack_path(&grid, 1, &mut base, 250.0, 2);
        assert_eq!(first, "M0 1000h8v-250h-8zM20 1000h8v-750h-8z");
        assert_eq!(second, "M0 750h8v-250h-8zM10 1000h8v-1000h-8zM20 250h8v-250h-8z");
    }

    #[test]
    fn wider_bars_start_on_whole_steps_and_lose_nothing() {
        let mut chart = chart(&[&[1, 2, 3, 4, 5]]);
        for bucket in &mut chart.series[0].buckets {
            bucket.start_ms += 5 * HOUR_MS;
        }
        let grid = chart.grid(6 * HOUR_MS);
        assert_eq!((grid.start_ms, grid.columns), (UtcMs::EPOCH, vec![vec![1], vec![14]]));
    }

    #[test]
    fn empty_and_absurd_charts_are_drawn() {
        let nothing = chart(&[]).render(HOUR_MS, DAY_MS).into_string();
        assert!(!nothing.contains("NaN") && !nothing.contains("inf"));
        let mut far = chart(&[&[1, u64::from(u32::MAX)]]);
        far.series[0].buckets[0].start_ms = UtcMs::new(-9_000_000_000_000_000);
        let drawn = far.render(HOUR_MS, DAY_MS).into_string();
        assert!(drawn.len() < 1_000_000 && !drawn.contains("NaN"));
    }

    #[test]
    fn an_event_is_never_too_small_to_see() {
        let chart = chart(&[&[1, 1_000_000]]);
        let mut base = vec![0; 2];
        assert!(stack_path(&chart.grid(HOUR_MS), 0, &mut base, 0.001, 2).starts_with("M0 1000h8v-6"));
        assert_eq!(shade(1, 1_000_000), 1);
        assert_eq!((shade(0, 9), shade(9, 9)), (0, SHADES));
    }

    #[test]
    fn axes_have_round_numbers() {
        assert_eq!([0, 5, 6, 231, 4427, u64::MAX / 2].map(rung)[..5], [1, 1, 2, 50, 1000]);
        assert_eq!([0, 950, 1200, 2_000_000].map(short), ["0", "950", "1.2k", "2M"]);
        assert_eq!([0.0, 0.5, 1.0 / 3.0].map(percent), ["0%", "50%", "33.33%"]);
    }
}
