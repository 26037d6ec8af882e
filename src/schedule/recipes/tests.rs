use super::*;
use crate::registry::{Duration, DurationUnit};
use proptest::prelude::*;

type Given<'a> = &'a [(&'a str, Value)];

/// The settings of an entry as checked: its defaults, and these.
fn settings(entry: &RecipeEntry, given: Given<'_>) -> Settings {
    let default = |param: &Param| {
        let value = match (param.default, param.kind) {
            (Default::Toml(toml), Kind::Choice(_)) => Value::Choice(Choice::plain(toml.trim_matches('\''))),
            (Default::Toml(toml), Kind::Int { .. }) => Value::Int(toml.parse().unwrap()),
            (Default::Toml(toml), Kind::Bool) => Value::Bool(toml.parse().unwrap()),
            (Default::Toml(toml), Kind::Duration { .. }) => place(toml),
            (Default::Toml(toml), _) => Value::Float(toml.parse().unwrap()),
            _ => return None,
        };
        Some((param.key.to_owned(), value))
    };
    let given = given.iter().map(|(key, value)| ((*key).to_owned(), value.clone()));
    Settings(entry.params.iter().filter_map(default).chain(given).collect())
}

fn float(value: f64) -> Value {
    Value::Float(value)
}

fn list(values: &[f64]) -> Value {
    Value::List(values.iter().map(|value| float(*value)).collect())
}

/// A place as a file has it: `5`, `23%`.
fn place(written: &str) -> Value {
    let number = |amount| Duration { amount, unit: DurationUnit::Epochs };
    Value::Duration(written.parse().unwrap_or_else(|_| number(written.parse().unwrap())))
}

fn places(written: &[&str]) -> Value {
    Value::List(written.iter().map(|written| place(written)).collect())
}

fn phases(entry: &RecipeEntry, given: Given<'_>) -> Vec<String> {
    let in_words = |part: Part| {
        let length = match part.length {
            Length::Epochs(epochs) => format!("{}ep", (epochs * 1e9).round() / 1e9),
            Length::Steps(steps) => format!("{steps}step"),
        };
        let momentum = part.momentum.map(|ramp| format!(", momentum {}", Ramp::new(&ramp).unwrap()));
        format!("{length}: {}{}", Ramp::new(&part.lr).unwrap(), momentum.unwrap_or_default())
    };
    expand(entry, &settings(entry, given)).unwrap().into_iter().map(in_words).collect()
}

#[test]
fn recipes_stand_for_the_phases_that_the_lesson_gives_them() {
    // fast.ai's wide ResNet on one GPU: div 20, pct 20, momentum .95 and .85.
    let given = [("epochs", float(30.0)), ("lr", float(1.5)), ("div", float(20.0)), ("pct", float(20.0))];
    let expected = [
        "12ep: 0.075 → 1.5 linear, momentum 0.95 → 0.85 linear",
        "12ep: 1.5 → 0.075 linear, momentum 0.85 → 0.95 linear",
        "6ep: 0.075 → 0.00075 linear, momentum 0.95",
    ];
    assert_eq!(phases(&one_cycle::ENTRY, &given), expected);
    let given = [("steps", Value::Int(11)), ("lr", float(1.0)), ("pct", float(0.0))];
    assert_eq!(phases(&one_cycle::ENTRY, &given).len(), 2);

    // fast.ai 1 and PyTorch: up in three tenths, down in one piece.
    let given = [
        ("epochs", float(10.0)),
        ("lr", float(0.5)),
        ("rise", float(0.3)),
        ("div", float(25.0)),
        ("final_div", float(1e4)),
        ("three_phase", Value::Bool(false)),
        ("curve", Value::Choice(Choice::plain("cosine"))),
    ];
    let expected =
        ["3ep: 0.02 → 0.5 cosine, momentum 0.95 → 0.85 cosine", "7ep: 0.5 → 2e-6 cosine, momentum 0.85 → 0.95 cosine"];
    assert_eq!(phases(&one_cycle::ENTRY, &given), expected);
    let given = [("steps", Value::Int(10)), ("lr", float(1.0)), ("rise", float(0.2))];
    let expected = [
        "2step: 0.1 → 1 linear, momentum 0.95 → 0.85 linear",
        "7step: 1 → 0.1 linear, momentum 0.85 → 0.95 linear",
        "1step: 0.1 → 0.001 linear, momentum 0.95",
    ];
    assert_eq!(phases(&one_cycle::ENTRY, &given), expected);

    // fast.ai's `fit_flat_cos`, and a rise before it.
    let given = [("epochs", float(20.0)), ("lr", float(0.008)), ("momentum", float(0.95))];
    let expected = ["15ep: 0.008, momentum 0.95", "5ep: 0.008 → 0 cosine, momentum 0.95"];
    assert_eq!(phases(&trapezoid::ENTRY, &given), expected);
    let given = [
        ("steps", Value::Int(50)),
        ("lr", float(0.4)),
        ("rise", float(0.1)),
        ("fall", float(0.4)),
        ("from", float(0.1)),
        ("to", float(0.01)),
        ("curve", Value::Choice(Choice::plain("linear"))),
    ];
    let expected = ["5step: 0.1 → 0.4 linear", "25step: 0.4", "20step: 0.4 → 0.01 linear"];
    assert_eq!(phases(&trapezoid::ENTRY, &given), expected);
    // Nothing stays between the two: a triangle.
    let given = [("epochs", float(10.0)), ("lr", float(0.4)), ("rise", float(0.3)), ("fall", float(0.7))];
    assert_eq!(phases(&trapezoid::ENTRY, &given), ["3ep: 0 → 0.4 linear", "7ep: 0.4 → 0 cosine"]);

    let given = [("lr", float(0.2)), ("cycles", Value::Int(3)), ("cycle_len", place("1")), ("cycle_mult", float(2.0))];
    let expected = ["0.05ep: 0.002", "0.95ep: 0.2 → 0 cosine", "2ep: 0.2 → 0 cosine", "4ep: 0.2 → 0 cosine"];
    assert_eq!(phases(&sgdr::ENTRY, &given), expected);

    let given = [("epochs", float(90.0)), ("lr", float(0.5)), ("at", places(&["30", "60"])), ("momentum", float(0.8))];
    let expected = ["30ep: 0.5, momentum 0.8", "30ep: 0.05, momentum 0.8", "30ep: 0.005, momentum 0.8"];
    assert_eq!(phases(&step::ENTRY, &given), expected);

    // Page's.
    let given = [("at", places(&["0", "5", "24"])), ("lr", list(&[0.0, 0.4, 0.0]))];
    assert_eq!(phases(&piecewise::ENTRY, &given), ["5ep: 0 → 0.4 linear", "19ep: 0.4 → 0 linear"]);

    let given = [("epochs", float(4.0)), ("cycles", Value::Int(2)), ("lr", float(0.4)), ("gamma", float(0.5))];
    let expected = ["1ep: 0 → 0.4 linear", "1ep: 0.4 → 0 linear", "1ep: 0 → 0.2 linear", "1ep: 0.2 → 0 linear"];
    assert_eq!(phases(&cyclical::ENTRY, &given), expected);

    let given = [("epochs", float(2.0)), ("lr", float(0.4))];
    assert_eq!(phases(&warmup::ENTRY, &given), ["2ep: 0 → 0.4 linear"]);
    assert_eq!(phases(&lr_range::ENTRY, &[("steps", Value::Int(100))]), ["100step: 1e-5 → 10 exponential"]);
}

/// Figures from Python's `math`, by the formulas of PyTorch's `OneCycleLR(max_lr=1, total_steps=100)`: its first phase
/// ends with step 29, its second with step 99.
#[test]
fn one_cycle_in_two_phases_is_pytorchs() {
    let used = |steps: i64, rise: f64| -> Vec<(f64, f64)> {
        let given = [
            ("steps", Value::Int(steps)),
            ("lr", float(1.0)),
            ("rise", float(rise)),
            ("div", float(25.0)),
            ("final_div", float(1e4)),
            ("three_phase", Value::Bool(false)),
            ("curve", Value::Choice(Choice::plain("cosine"))),
        ];
        let each = |part: Part| {
            let Length::Steps(n) = part.length else { panic!("steps") };
            let (lr, momentum) = (Ramp::new(&part.lr).unwrap(), Ramp::new(&part.momentum.unwrap()).unwrap());
            (0..n).map(move |i| (lr.at(i, n), momentum.at(i, n)))
        };
        expand(&one_cycle::ENTRY, &settings(&one_cycle::ENTRY, &given)).unwrap().into_iter().flat_map(each).collect()
    };
    let figures = [
        (0, 0.04, 0.95),
        (10, 0.29516394846410077, 0.9234204220349895),
        (15, 0.5459866761210004, 0.897293054570729),
        (29, 1.0, 0.85),
        (30, 0.9994965352845243, 0.8500503466729342),
        (64, 0.500002, 0.9),
        (98, 0.0005074647154757879, 0.9499496533270657),
    ];
    let (exact, plain) = (used(99, 29.0 / 99.0), used(100, 0.3));
    assert_eq!((exact.len(), plain.len()), (99, 100));
    for (step, lr, momentum) in figures {
        let (got, of_momentum) = exact[step];
        assert!((got / lr - 1.0).abs() < 1e-11 && (of_momentum - momentum).abs() < 1e-14, "step {step}: {got}");
        // Its own settings, taken over as they are: borders lie a step later, and no rate is off by more than that.
        let (got, of_momentum) = plain[step];
        assert!((got - lr).abs() < 0.03 && (of_momentum - momentum).abs() < 0.004, "step {step}: {got}");
    }
}

#[test]
fn parts_of_a_trapezoid_fit_into_it() {
    let wrong = |given: Given<'_>| {
        let all = [&[("epochs", float(10.0)), ("lr", float(0.4))], given].concat();
        expand(&trapezoid::ENTRY, &settings(&trapezoid::ENTRY, &all)).unwrap_err().key
    };
    assert_eq!(wrong(&[("rise", float(0.8))]), "rise");
    assert_eq!(wrong(&[("from", float(0.1))]), "from");
    assert_eq!(wrong(&[("from", float(0.5)), ("rise", float(0.1))]), "from");
    assert_eq!(wrong(&[("to", float(0.5))]), "to");
    assert_eq!(wrong(&[("rise", float(0.5)), ("fall", float(0.5)), ("steps", Value::Int(3))]), "steps");
}

#[test]
fn a_momentum_that_stays_is_said_in_one() {
    let given = [("epochs", float(10.0)), ("lr", float(0.5)), ("momentum", float(0.85))];
    let expected = [
        "4.5ep: 0.05 → 0.5 linear, momentum 0.85",
        "4.5ep: 0.5 → 0.05 linear, momentum 0.85",
        "1ep: 0.05 → 0.0005 linear, momentum 0.85",
    ];
    assert_eq!(phases(&one_cycle::ENTRY, &given), expected);
    let expected = ["5ep: 0 → 0.5 linear, momentum 0.85", "5ep: 0.5 → 0 linear, momentum 0.85"];
    assert_eq!(phases(&cyclical::ENTRY, &given), expected);
}

/// Jordan's `triangle(total_train_steps, start=0.2, end=0.07, peak=0.23)` of airbench, which is
/// `numpy.interp(step, [0, 230, 1000], [0.2, 1, 0.07])`.
#[test]
fn a_triangle_has_two_ends() {
    let shape = [("steps", Value::Int(1000)), ("lr", float(1.0)), ("rise", float(0.23))];
    let ends = [("from", float(0.2)), ("to", float(0.07))];
    let given = [&shape[..], &ends].concat();
    assert_eq!(phases(&cyclical::ENTRY, &given), ["230step: 0.2 → 1 linear", "770step: 1 → 0.07 linear"]);
    // One cycle has them as parts of the highest rate, one by way of the other.
    let ends = [("div", float(5.0)), ("final_div", float(0.2 / 0.07)), ("three_phase", Value::Bool(false))];
    let given = [&shape[..], &ends].concat();
    let expected = [
        "230step: 0.2 → 1 linear, momentum 0.95 → 0.85 linear",
        "770step: 1 → 0.07 linear, momentum 0.85 → 0.95 linear",
    ];
    assert_eq!(phases(&one_cycle::ENTRY, &given), expected);
    let parts = expand(&one_cycle::ENTRY, &settings(&one_cycle::ENTRY, &given)).unwrap();
    let at = |part: &Part, step: u64, of: u64| Ramp::new(&part.lr).unwrap().at(step, of);
    assert!((at(&parts[0], 115, 230) - 0.6).abs() < 1e-12);
    assert!((at(&parts[1], 385, 770) - 0.535).abs() < 1e-12);
    // The end may be the higher one.
    let ends = [("div", float(10.0)), ("final_div", float(0.5)), ("three_phase", Value::Bool(false))];
    let given = [&shape[..], &ends, &[("momentum", float(0.9))]].concat();
    let expected = ["230step: 0.1 → 1 linear, momentum 0.9", "770step: 1 → 0.2 linear, momentum 0.9"];
    assert_eq!(phases(&one_cycle::ENTRY, &given), expected);

    let given = [
        ("epochs", float(4.0)),
        ("cycles", Value::Int(2)),
        ("lr", float(0.3)),
        ("from", float(0.1)),
        ("to", float(0.05)),
        ("gamma", float(0.5)),
    ];
    let expected =
        ["1ep: 0.1 → 0.3 linear", "1ep: 0.3 → 0.05 linear", "1ep: 0.1 → 0.2 linear", "1ep: 0.2 → 0.05 linear"];
    assert_eq!(phases(&cyclical::ENTRY, &given), expected);
}

#[test]
fn places_are_epochs_steps_or_shares() {
    fn lengths(given: Given<'_>) -> Vec<Length> {
        let parts = expand(&piecewise::ENTRY, &settings(&piecewise::ENTRY, given)).unwrap();
        parts.into_iter().map(|part| part.length).collect()
    }
    // hlb-CIFAR10's length.
    let (at, lr) = (("at", places(&["0%", "23%", "100%"])), ("lr", list(&[0.0, 0.4, 0.0])));
    let epochs = lengths(&[("epochs", float(12.1)), at.clone(), lr.clone()]);
    assert_eq!(epochs, [Length::Epochs(2.783), Length::Epochs(9.317)]);
    let steps = ("steps", Value::Int(1000));
    assert_eq!(lengths(&[steps.clone(), at, lr.clone()]), [Length::Steps(230), Length::Steps(770)]);
    // Nothing is nothing in any unit, and a share stands beside the unit of the length.
    for written in [["0", "23%", "1000step"], ["0ep", "230step", "100%"], ["0step", "230step", "1000step"]] {
        let at = ("at", places(&written));
        assert_eq!(lengths(&[steps.clone(), at, lr.clone()]), [Length::Steps(230), Length::Steps(770)]);
    }
    let alone = lengths(&[("at", places(&["0", "230step", "1000step"])), lr.clone()]);
    assert_eq!(alone, [Length::Steps(230), Length::Steps(770)]);
    // Steps are whole, and add up: borders at 2.5 and 7.5 of 10.
    let shares = ("at", places(&["0", "25%", "75%", "100%"]));
    let whole = lengths(&[("steps", Value::Int(10)), shares, ("lr", list(&[0.0, 0.4, 0.1, 0.0]))]);
    assert_eq!(whole, [3, 5, 2].map(Length::Steps));
    let same = lengths(&[("epochs", float(24.0)), ("at", places(&["0", "5", "24"])), lr]);
    assert_eq!(same, [Length::Epochs(5.0), Length::Epochs(19.0)]);

    let fall = [("lr", float(0.5)), ("gamma", float(0.1))];
    let given = [&fall[..], &[("steps", Value::Int(1000)), ("at", places(&["300step", "60%"]))]].concat();
    assert_eq!(phases(&step::ENTRY, &given), ["300step: 0.5", "300step: 0.05", "400step: 0.005"]);
    let given = [&fall[..], &[("epochs", float(90.0)), ("at", places(&["50%", "75%"]))]].concat();
    assert_eq!(phases(&step::ENTRY, &given), ["45ep: 0.5", "22.5ep: 0.05", "22.5ep: 0.005"]);
}

/// Figures of `numpy.interp(x, [0, 100, 100, 200], [0.1, 0.3, 0.5, 0.2])`, by hand.
#[test]
fn two_knots_at_one_place_are_a_jump() {
    let lr = ("lr", list(&[0.1, 0.3, 0.5, 0.2]));
    let given = [("at", places(&["0", "100step", "100step", "200step"])), lr];
    assert_eq!(phases(&piecewise::ENTRY, &given), ["100step: 0.1 → 0.3 linear", "100step: 0.5 → 0.2 linear"]);
    let parts = expand(&piecewise::ENTRY, &settings(&piecewise::ENTRY, &given)).unwrap();
    let at = |step: usize| Ramp::new(&parts[step / 100].lr).unwrap().at(step as u64 % 100, 100);
    for (step, rate) in [(0, 0.1), (50, 0.2), (99, 0.298), (100, 0.5), (150, 0.35), (199, 0.203)] {
        assert!((at(step) - rate).abs() < 1e-12, "step {step}: {}", at(step));
    }
    let stairs = ("at", places(&["0", "25%", "25%", "50%", "50%", "100%"]));
    let given = [("epochs", float(8.0)), stairs, ("lr", list(&[0.4, 0.4, 0.2, 0.2, 0.1, 0.0]))];
    assert_eq!(phases(&piecewise::ENTRY, &given), ["2ep: 0.4", "2ep: 0.2", "4ep: 0.1 → 0 linear"]);
}

#[test]
fn momentum_may_go_from_knot_to_knot_too() {
    let knots = [("at", places(&["0", "1", "3"])), ("lr", list(&[0.0, 0.4, 0.0]))];
    let given = [&knots[..], &[("momentum", list(&[0.85, 0.95, 0.95]))]].concat();
    let expected = ["1ep: 0 → 0.4 linear, momentum 0.85 → 0.95 linear", "2ep: 0.4 → 0 linear, momentum 0.95"];
    assert_eq!(phases(&piecewise::ENTRY, &given), expected);
    let given = [&knots[..], &[("momentum", float(0.9))]].concat();
    let expected = ["1ep: 0 → 0.4 linear, momentum 0.9", "2ep: 0.4 → 0 linear, momentum 0.9"];
    assert_eq!(phases(&piecewise::ENTRY, &given), expected);
}

#[test]
fn rates_fall_every_so_often() {
    // EfficientNet's, in its first epochs: 0.256·0.97 and 0.256·0.97².
    let given = [("epochs", float(6.0)), ("lr", float(0.256)), ("gamma", float(0.97)), ("every", place("2.4"))];
    assert_eq!(phases(&step::ENTRY, &given), ["2.4ep: 0.256", "2.4ep: 0.24832", "1.2ep: 0.24087"]);
    // Where the end is one of the places but for rounding, no phase is left.
    let given = [("epochs", float(2.1)), ("lr", float(0.8)), ("gamma", float(0.5)), ("every", place("0.7"))];
    assert_eq!(phases(&step::ENTRY, &given), ["0.7ep: 0.8", "0.7ep: 0.4", "0.7ep: 0.2"]);
    let given = [("steps", Value::Int(200)), ("lr", float(0.8)), ("gamma", float(0.5)), ("every", place("97step"))];
    assert_eq!(phases(&step::ENTRY, &given), ["97step: 0.8", "97step: 0.4", "6step: 0.2"]);
    let given = [("steps", Value::Int(10)), ("lr", float(0.8)), ("gamma", float(0.5)), ("every", place("25%"))];
    assert_eq!(phases(&step::ENTRY, &given), ["3step: 0.8", "2step: 0.4", "3step: 0.2", "2step: 0.1"]);
}

#[test]
fn restarts_may_fall_and_be_counted_in_steps() {
    let given = [
        ("lr", float(0.4)),
        ("cycles", Value::Int(3)),
        ("cycle_len", place("100step")),
        ("cycle_mult", float(2.0)),
        ("gamma", float(0.1)),
        ("to", float(0.001)),
    ];
    let expected =
        ["5step: 0.004", "95step: 0.4 → 0.001 cosine", "200step: 0.04 → 0.001 cosine", "400step: 0.004 → 0.001 cosine"];
    assert_eq!(phases(&sgdr::ENTRY, &given), expected);
    // Borders at 10, 25, 47.5 and 81.25, to the nearest step.
    let given = [
        ("lr", float(0.4)),
        ("cycles", Value::Int(4)),
        ("cycle_len", place("10step")),
        ("cycle_mult", float(1.5)),
        ("lead", float(0.0)),
    ];
    let expected = ["10step", "15step", "23step", "33step"].map(|length| format!("{length}: 0.4 → 0 cosine"));
    assert_eq!(phases(&sgdr::ENTRY, &given), expected);
    // timm's `CosineLRScheduler(cycle_limit=2, cycle_decay=0.5)`, in the middle of its second cycle: 0.01 + 0.19/2.
    let given = [
        ("lr", float(0.4)),
        ("cycles", Value::Int(2)),
        ("cycle_len", place("100step")),
        ("gamma", float(0.5)),
        ("to", float(0.01)),
        ("lead", float(0.0)),
    ];
    let parts = expand(&sgdr::ENTRY, &settings(&sgdr::ENTRY, &given)).unwrap();
    let second = Ramp::new(&parts[1].lr).unwrap();
    assert_eq!((second.from(), parts[1].length), (0.2, Length::Steps(100)));
    assert!((second.at(50, 100) - 0.105).abs() < 1e-12);
}

#[test]
fn settings_that_do_not_go_together_are_told_at_the_one_at_fault() {
    let one_epoch = || ("epochs", float(1.0));
    let lr = || ("lr", float(0.1));
    let turned = [("max_momentum", float(0.8)), ("min_momentum", float(0.9))];
    let exponential = ("curve", Value::Choice(Choice::plain("exponential")));
    let momentum = || ("momentum", float(0.9));
    let final_div = |div: f64| ("final_div", float(div));
    let steps = |steps: i64| ("steps", Value::Int(steps));
    let three = || ("lr", list(&[0.0, 0.4, 0.0]));
    let cases: [(&RecipeEntry, Given<'_>, &str); 60] = [
        (&one_cycle::ENTRY, &[lr()], "epochs"),
        (&one_cycle::ENTRY, &[lr(), one_epoch(), ("steps", Value::Int(5))], "steps"),
        (&one_cycle::ENTRY, &[lr(), ("steps", Value::Int(2))], "steps"),
        (&one_cycle::ENTRY, &[lr(), one_epoch(), ("rise", float(0.9))], "rise"),
        (&one_cycle::ENTRY, &[lr(), one_epoch(), ("rise", float(0.3)), ("pct", float(70.0))], "rise"),
        (&one_cycle::ENTRY, &[lr(), one_epoch(), ("pct", float(10.0)), ("three_phase", Value::Bool(false))], "pct"),
        (&one_cycle::ENTRY, &[lr(), one_epoch(), momentum(), turned[0].clone()], "max_momentum"),
        (&one_cycle::ENTRY, &[lr(), one_epoch(), final_div(0.5)], "final_div"),
        (&one_cycle::ENTRY, &[lr(), one_epoch(), final_div(0.05), ("three_phase", Value::Bool(false))], "final_div"),
        (&cyclical::ENTRY, &[lr(), one_epoch(), momentum(), turned[1].clone()], "min_momentum"),
        (&cyclical::ENTRY, &[lr(), one_epoch(), ("to", float(0.2))], "to"),
        (
            &cyclical::ENTRY,
            &[lr(), one_epoch(), ("cycles", Value::Int(3)), ("gamma", float(0.5)), ("to", float(0.03))],
            "to",
        ),
        (&warmup::ENTRY, &[lr(), one_epoch(), exponential], "curve"),
        (&cyclical::ENTRY, &[lr(), one_epoch(), ("max_momentum", float(0.9))], "max_momentum"),
        (&cyclical::ENTRY, &[lr(), one_epoch(), ("min_momentum", float(0.9))], "min_momentum"),
        (&one_cycle::ENTRY, &[lr(), one_epoch(), ("max_momentum", float(0.8))], "max_momentum"),
        (&one_cycle::ENTRY, &[lr(), one_epoch(), ("min_momentum", float(0.97))], "min_momentum"),
        (&cyclical::ENTRY, &[lr(), one_epoch(), turned[0].clone(), turned[1].clone()], "min_momentum"),
        (&cyclical::ENTRY, &[lr(), one_epoch(), ("from", float(0.5))], "from"),
        (&warmup::ENTRY, &[lr(), one_epoch(), ("from", float(0.5))], "from"),
        (&sgdr::ENTRY, &[lr(), ("to", float(0.2))], "to"),
        (&lr_range::ENTRY, &[one_epoch(), ("from", float(10.0)), ("to", float(1.0))], "from"),
        (&lr_range::ENTRY, &[one_epoch(), ("to", float(1e-6))], "to"),
        (&step::ENTRY, &[lr(), one_epoch(), ("at", places(&["0.5", "0.2"]))], "at[1]"),
        (&step::ENTRY, &[lr(), one_epoch(), ("at", places(&["0.5", "1"]))], "at[1]"),
        (&step::ENTRY, &[lr(), one_epoch(), ("at", places(&["0.5", "0.5"]))], "at[1]"),
        (&step::ENTRY, &[lr(), one_epoch(), ("at", places(&["0"]))], "at[0]"),
        (&step::ENTRY, &[lr(), one_epoch(), ("at", places(&["0.5", "100%"]))], "at[1]"),
        (&step::ENTRY, &[lr(), one_epoch(), ("at", places(&["5step"]))], "at[0]"),
        (&step::ENTRY, &[lr(), steps(9), ("at", places(&["5"]))], "at[0]"),
        (&step::ENTRY, &[lr(), ("at", places(&["0.5"]))], "epochs"),
        (&step::ENTRY, &[lr(), one_epoch()], "at"),
        (&step::ENTRY, &[lr(), one_epoch(), ("at", places(&["0.5"])), ("every", place("0.5"))], "every"),
        (&step::ENTRY, &[lr(), one_epoch(), ("every", place("1"))], "every"),
        (&step::ENTRY, &[lr(), one_epoch(), ("every", place("0"))], "every"),
        (&step::ENTRY, &[lr(), one_epoch(), ("every", place("0.01%"))], "every"),
        (&step::ENTRY, &[lr(), one_epoch(), ("every", place("3step"))], "every"),
        (&step::ENTRY, &[lr(), steps(2), ("every", place("10%"))], "steps"),
        (&piecewise::ENTRY, &[("at", places(&["0", "1"])), ("lr", list(&[0.0]))], "lr"),
        (&piecewise::ENTRY, &[("at", places(&["0"])), ("lr", list(&[0.0]))], "at"),
        (&piecewise::ENTRY, &[("at", places(&["1", "2"])), ("lr", list(&[0.0, 1.0]))], "at[0]"),
        (&piecewise::ENTRY, &[("at", places(&["0", "2", "1"])), three()], "at[2]"),
        (&piecewise::ENTRY, &[("at", places(&["0%", "23%", "100%"])), three()], "at[1]"),
        (&piecewise::ENTRY, &[one_epoch(), steps(9), ("at", places(&["0%", "23%", "100%"])), three()], "steps"),
        (&piecewise::ENTRY, &[("at", places(&["0", "5", "300step"])), three()], "at[2]"),
        (&piecewise::ENTRY, &[steps(2), ("at", places(&["0%", "20%", "100%"])), three()], "steps"),
        (&piecewise::ENTRY, &[one_epoch(), ("at", places(&["0%", "23%", "99%"])), three()], "at[2]"),
        (&piecewise::ENTRY, &[one_epoch(), ("at", places(&["0", "5", "24"])), three()], "at[2]"),
        (&piecewise::ENTRY, &[("at", places(&["0", "1step", "1073741826step"])), three()], "at"),
        (&piecewise::ENTRY, &[("at", places(&["0", "0", "2"])), three()], "at[1]"),
        (&piecewise::ENTRY, &[("at", places(&["0", "2", "2"])), three()], "at[2]"),
        (&piecewise::ENTRY, &[("at", places(&["0", "1", "1", "1", "2"])), ("lr", list(&[0.1; 5]))], "at[3]"),
        (&piecewise::ENTRY, &[("at", places(&["0", "1", "2"])), three(), ("momentum", list(&[0.9, 0.8]))], "momentum"),
        (&sgdr::ENTRY, &[lr(), ("cycles", Value::Int(1000)), ("cycle_mult", float(2.0))], "cycle_mult"),
        (
            &sgdr::ENTRY,
            &[lr(), ("cycles", Value::Int(40)), ("cycle_len", place("100step")), ("cycle_mult", float(2.0))],
            "cycle_mult",
        ),
        (&sgdr::ENTRY, &[lr(), ("cycle_len", place("0"))], "cycle_len"),
        (&sgdr::ENTRY, &[lr(), ("cycle_len", place("20%"))], "cycle_len"),
        // A twentieth of five steps is none.
        (&sgdr::ENTRY, &[lr(), ("cycle_len", place("5step"))], "cycle_len"),
        (&sgdr::ENTRY, &[lr(), ("cycle_len", place("5step")), ("lead", float(0.95))], "lead"),
        (&sgdr::ENTRY, &[lr(), ("cycles", Value::Int(3)), ("gamma", float(0.5)), ("to", float(0.03))], "gamma"),
    ];
    for (entry, given, key) in cases {
        let misuse = expand(entry, &settings(entry, given)).unwrap_err();
        assert_eq!(misuse.key, key, "{}: {misuse}", entry.name);
        assert!(!misuse.help.is_empty());
    }
}

#[test]
fn ends_may_be_the_same() {
    let (lr, one_epoch) = (("lr", float(0.1)), ("epochs", float(1.0)));
    let given = [lr.clone(), one_epoch.clone(), ("max_momentum", float(0.0)), ("min_momentum", float(0.0))];
    assert!(phases(&one_cycle::ENTRY, &given).iter().all(|phase| phase.ends_with("momentum 0")));
    assert_eq!(phases(&cyclical::ENTRY, &[lr.clone(), one_epoch, ("from", float(0.1))]), ["0.5ep: 0.1", "0.5ep: 0.1"]);
    assert_eq!(phases(&sgdr::ENTRY, &[lr, ("to", float(0.1)), ("lead", float(0.0))]), ["1ep: 0.1"]);
}

proptest! {
    /// Each leg begins where the one before ends, and all together are as long as the whole.
    #[test]
    fn one_cycle_has_no_gap(epochs in 0.1..100.0f64, lr in 0.01..5.0f64, div in 1.0..50.0f64, pct in 0.0..90.0f64) {
        let given = [("epochs", float(epochs)), ("lr", float(lr)), ("div", float(div)), ("pct", float(pct))];
        let parts = expand(&one_cycle::ENTRY, &settings(&one_cycle::ENTRY, &given)).unwrap();
        let end = |ramp: &RampValue| ramp.to.unwrap_or(ramp.from);
        for pair in parts.windows(2) {
            prop_assert_eq!(end(&pair[0].lr), pair[1].lr.from);
            prop_assert_eq!(pair[0].momentum.as_ref().map(end), pair[1].momentum.as_ref().map(|ramp| ramp.from));
        }
        let sum: f64 = parts.iter().map(|part| if let Length::Epochs(epochs) = part.length { epochs } else { 0.0 }).sum();
        prop_assert!((sum - epochs).abs() < 1e-9);
        // Where nothing else is said, rise and fall are equally long to the bit.
        let half = (1.0 - pct / 100.0) / 2.0 * epochs;
        prop_assert_eq!(parts[0].length, Length::Epochs((half * 1e12).round() / 1e12));
        prop_assert_eq!(parts[1].length, parts[0].length);
    }
}
