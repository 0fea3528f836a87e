//! A drawing of series over the number of documents, both axes logarithmic: SVG, for light
//! and dark pages.

use std::fmt::Write;

/// Width and height of a panel's field, and of its margins, in pixels.
const FIELD: (f64, f64) = (300.0, 240.0);
const MARGIN: (f64, f64) = (64.0, 44.0);

/// Colours that are told apart on white and on black, and by most who are colour-blind.
const COLOURS: [&str; 3] = ["#0a84c6", "#d9730d", "#7a9a01"];

/// One field with its axes.
pub(super) struct Panel {
    /// What its upright axis says.
    pub(super) title: &'static str,
    /// What is drawn in it: as many as there are colours.
    pub(super) series: Vec<Series>,
}

/// A line.
pub(super) struct Series {
    /// What it is called.
    pub(super) name: &'static str,
    /// Its points; those that are not above zero have no place.
    pub(super) points: Vec<(f64, f64)>,
}

/// An axis from one power of ten to another.
struct Axis {
    from: i32,
    to: i32,
    pixels: f64,
}

impl Axis {
    fn over(values: impl Iterator<Item = f64>, pixels: f64) -> Self {
        let logs: Vec<f64> = values.filter(|value| *value > 0.0).map(f64::log10).collect();
        let least = logs.iter().copied().fold(f64::INFINITY, f64::min);
        let most = logs.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        if logs.is_empty() {
            return Self { from: 0, to: 1, pixels };
        }
        let from = least.floor() as i32;
        Self { from, to: (most.ceil() as i32).max(from + 1), pixels }
    }

    fn place(&self, value: f64) -> f64 {
        (value.log10() - f64::from(self.from)) / f64::from(self.to - self.from) * self.pixels
    }

    fn marks(&self) -> impl Iterator<Item = f64> {
        (self.from..=self.to).map(|power| 10_f64.powi(power))
    }
}

/// The drawing.
pub(super) fn plot(panels: &[Panel]) -> String {
    let (width, height) = (FIELD.0 + 2.0 * MARGIN.0, FIELD.1 + 2.5 * MARGIN.1);
    let all = width * panels.len() as f64;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {all} {height}\" width=\"{all}\" \
         height=\"{height}\" font-family=\"sans-serif\" font-size=\"12\" role=\"img\">\n\
         <title>What synchronising costs, by documents</title>\n\
         <style>svg {{ color: #222 }} \
         @media (prefers-color-scheme: dark) {{ svg {{ color: #ddd }} }} \
         text {{ fill: currentColor }} .rule {{ stroke: currentColor; stroke-opacity: 0.2 }}</style>\n"
    );
    for (number, panel) in panels.iter().enumerate() {
        let left = width * number as f64 + MARGIN.0;
        put(&mut svg, &format!("<g transform=\"translate({left} {})\">", MARGIN.1));
        draw(&mut svg, panel);
        put(&mut svg, "</g>");
    }
    put(&mut svg, "</svg>");
    svg
}

fn draw(svg: &mut String, panel: &Panel) {
    let points = || panel.series.iter().flat_map(|series| &series.points);
    let across = Axis::over(points().map(|point| point.0), FIELD.0);
    let up = Axis::over(points().map(|point| point.1), FIELD.1);
    let (right, bottom) = FIELD;
    for mark in up.marks() {
        let y = bottom - up.place(mark);
        put(svg, &format!("<path class=\"rule\" d=\"M0 {y:.1}H{right}\"/>"));
        put(svg, &text((-6.0, y + 4.0), "end", &short(mark)));
    }
    for mark in across.marks() {
        let x = across.place(mark);
        put(svg, &format!("<path class=\"rule\" d=\"M{x:.1} 0V{bottom}\"/>"));
        put(svg, &text((x, bottom + 16.0), "middle", &short(mark)));
    }
    put(svg, &text((right / 2.0, bottom + 34.0), "middle", "documents"));
    put(svg, &text((0.0, -26.0), "start", panel.title));
    let step = right / panel.series.len().max(1) as f64;
    for (number, (series, colour)) in panel.series.iter().zip(COLOURS).enumerate() {
        let places = series.points.iter().filter(|(_, value)| *value > 0.0);
        let places: Vec<(f64, f64)> =
            places.map(|(x, y)| (across.place(*x), bottom - up.place(*y))).collect();
        let line: Vec<String> = places.iter().map(|(x, y)| format!("{x:.1},{y:.1}")).collect();
        put(
            svg,
            &format!(
                "<polyline fill=\"none\" stroke=\"{colour}\" stroke-width=\"2\" points=\"{}\"/>",
                line.join(" ")
            ),
        );
        for (x, y) in places {
            put(svg, &format!("<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"3.5\" fill=\"{colour}\"/>"));
        }
        let x = step * number as f64;
        put(svg, &format!("<circle cx=\"{x:.1}\" cy=\"-12\" r=\"4\" fill=\"{colour}\"/>"));
        put(svg, &text((x + 8.0, -8.0), "start", series.name));
    }
}

fn text((x, y): (f64, f64), anchor: &str, words: &str) -> String {
    format!("<text x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"{anchor}\">{words}</text>")
}

fn short(mark: f64) -> String {
    if mark >= 1_000.0 { format!("{} k", mark / 1_000.0) } else { format!("{mark}") }
}

fn put(svg: &mut String, line: &str) {
    writeln!(svg, "{line}").expect("a string takes all");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ten_times_as_much_is_always_as_far() {
        let axis = Axis::over([500.0, 8_000.0].into_iter(), 300.0);
        assert_eq!(axis.marks().collect::<Vec<_>>(), [100.0, 1_000.0, 10_000.0]);
        assert!((axis.place(1_000.0) - 150.0).abs() < 1e-9);
        assert!((axis.place(5_000.0) - axis.place(500.0) - 150.0).abs() < 1e-9);
    }

    #[test]
    fn what_is_nothing_is_left_out() {
        let points = vec![(500.0, 0.0), (1_000.0, 2.0), (2_000.0, 4.0)];
        let svg = plot(&[Panel { title: "seconds", series: vec![Series { name: "one", points }] }]);
        assert_eq!(svg.matches("r=\"3.5\"").count(), 2);
        assert!(!svg.contains("NaN") && !svg.contains("inf"), "{svg}");
    }
}
