//! Colours and measures, in one place.

/// In the SVG by name, in the PNG from the embedded subset, but for letters that it lacks.
pub const FONTS: &str = "Inter, 'Helvetica Neue', Helvetica, Arial, 'DejaVu Sans', sans-serif";

pub const PAPER: &str = "#ffffff";
pub const INK: &str = "#1f2933";
pub const QUIET: &str = "#66727f";
pub const GRID: &str = "#e9ecef";
pub const AXIS: &str = "#aeb7c0";
pub const BORDER: &str = "#c9d0d7";

pub const BLUE: &str = "#2463c5";
pub const ORANGE: &str = "#c2591b";
pub const GREEN: &str = "#1d8a63";

pub const GREY: &str = "#59646f";
pub const VIOLET: &str = "#8c4bc0";

/// For what some parameters use beside the others: none that a line of all parameters has.
pub const OWN: [&str; 6] = [VIOLET, "#a98307", "#c03a6c", "#358ba6", "#6e4423", "#2e2a78"];

/// For runs side by side; told apart by people who see colours otherwise, too.
pub const RUNS: [&str; 8] = [BLUE, ORANGE, GREEN, VIOLET, "#a98307", "#c03a6c", "#358ba6", GREY];

/// Shares from little to all: one hue, evenly darker.
pub const RAMP: [&str; 12] = [
    "#f3f7fd", "#e4edfa", "#d2e1f6", "#bdd3f1", "#a5c2ea", "#8bafe2", "#709ad8", "#5685cc", "#3e70bd", "#2a5ba9",
    "#1b478f", "#103470",
];

/// For what lies in the background.
pub const PALE: &str = "#ccd3da";

pub const WIDTH: f64 = 960.0;
pub const LEFT: f64 = 64.0;
pub const RIGHT: f64 = 28.0;
pub const TOP: f64 = 30.0;
pub const BOTTOM: f64 = 20.0;

pub const TITLE: f64 = 17.0;
pub const LABEL: f64 = 12.0;
pub const SMALL: f64 = 11.0;
