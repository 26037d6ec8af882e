//! Schedule-free rules against their three sequences; `tests/parity` holds them against the published code.

use super::*;
use runner_gpu::Device;
use runner_gpu::device::Order;

const RULES: [&str; 2] = ["schedule-free-sgd", "schedule-free-adamw"];

/// Two parameters with what belongs to nobody between.
fn segments() -> Vec<Segment> {
    let segment = |name: &str, range: Range<usize>| Segment { name: name.into(), shape: vec![range.len()], range };
    vec![segment("a", 0..2), segment("b", 3..6)]
}

fn grads(step: usize) -> Vec<f32> {
    (0..6).map(|i| ((step * 5 + i * 3) % 7) as f32 / 3.0 - 0.9).collect()
}

/// A rate that rises from 0, stays and falls, and a momentum that moves now and then.
fn hypers(step: usize) -> Hypers {
    let lr = [0.0, 0.05, 0.1, 0.1, 0.1, 0.04, 0.02, 0.02][step % 8];
    let momentum = [0.9, 0.9, 0.9, 0.5, 0.5, 0.95, 0.95, 0.3][step % 8];
    Hypers { lr, momentum, weight_decay: 0.1, ..HYPERS }
}

fn step(optimizer: &mut dyn Optimizer, params: &mut [f32], step: usize) {
    let (segments, mut grads) = (segments(), grads(step));
    let flat = Flat { params, grads: &mut grads, loss: 0.0, segments: &segments, isa: Isa::Portable };
    optimizer.step(flat, &hypers(step), &mut |_, _| unreachable!("a first-order rule")).unwrap();
}

fn average(optimizer: &dyn Optimizer, params: &[f32]) -> Vec<f32> {
    let mut average = params.to_vec();
    optimizer.to_average(&mut average, &segments());
    average
}

/// With `x`, `y` and `z` all kept, in `f64`.
#[test]
fn weights_and_their_average_are_those_of_three_sequences() {
    for (name, r, power) in [(RULES[0], 0.0, 2.0), (RULES[1], 0.0, 2.0), (RULES[0], 1.5, 0.0), (RULES[1], 2.0, 1.0)] {
        let mut optimizer = make_with(name, 5, [("r", Value::Float(r)), ("weight_lr_power", Value::Float(power))]);
        let mut params = [1.0, -2.0, 7.0, 0.5, 3.0, -0.1];
        let [mut x, mut y, mut z] = [params.map(f64::from); 3];
        let (mut square, mut sum, mut most) = ([0.0; 6], 0.0, 0.0f64);
        for k in 0..24 {
            step(&mut *optimizer, &mut params, k);
            let (Hypers { lr, momentum, weight_decay, .. }, grads, t) = (hypers(k), grads(k), (k + 1) as f64);
            most = most.max(lr);
            let weight = t.powf(r) * most.powf(power);
            sum += weight;
            let share = if sum > 0.0 { weight / sum } else { 0.0 };
            for i in [0, 1, 3, 4, 5] {
                let mut d = f64::from(grads[i]);
                if name == RULES[1] {
                    square[i] = 0.999 * square[i] + 0.001 * d * d;
                    d /= (square[i] / (1.0 - 0.999f64.powf(t))).sqrt() + 1e-8;
                }
                z[i] -= lr * (d + weight_decay * y[i]);
                x[i] = (1.0 - share) * x[i] + share * z[i];
                y[i] = (1.0 - momentum) * z[i] + momentum * x[i];
            }
            let near = |what: &str, got: &[f32], want: &[f64]| {
                let close = got.iter().zip(want).all(|(got, want)| (f64::from(*got) - want).abs() < 1e-5);
                assert!(close, "{name}, {what} after step {k}: {got:?} is not {want:?}");
            };
            near("y", &params, &y);
            near("x", &average(&*optimizer, &params), &x);
        }
    }
}

#[test]
fn before_the_first_step_and_while_rates_are_0_nothing_is_averaged() {
    for name in RULES {
        let (mut optimizer, mut params) = (make(name, 5), [1.0, -2.0, 7.0, 0.5, 3.0, -0.1]);
        let start = params;
        assert_eq!(average(&*optimizer, &params), start);
        step(&mut *optimizer, &mut params, 0);
        assert_eq!((params, average(&*optimizer, &params)), (start, start.to_vec()), "{name}: a rate of 0");
        assert!(optimizer.uses_momentum() && optimizer.momentum().is_none());
    }
}

/// From the first step on, where there is nothing yet beside the weights.
#[test]
fn steps_on_a_device_are_the_hosts_to_the_last_bit() {
    for (name, order) in RULES.into_iter().flat_map(|name| [(name, Order::Ascending), (name, Order::Descending)]) {
        let device = Device::emulated(order);
        let (mut here, mut there) = (make(name, 5), make(name, 5));
        let mut params = [1.0, -2.0, 7.0, 0.5, 3.0, -0.1];
        let values = device.upload(&params).unwrap();
        for k in 0..16 {
            step(&mut *here, &mut params, k);
            let grads = device.upload(&grads(k)).unwrap();
            let segments = segments();
            let flat = DeviceFlat { device: &device, params: values.view(), grads: grads.view(), segments: &segments };
            there.step_on_device(flat, &hypers(k)).unwrap();
            assert_eq!(bits(&device.read_f32(values.view()).unwrap()), bits(&params), "{name}, step {k}");
        }
        there.home().unwrap();
        assert_eq!(there.state(), here.state(), "{name}");
        assert_eq!(average(&*there, &params), average(&*here, &params), "{name}");
    }
}
