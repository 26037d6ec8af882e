use super::*;
use crate::kernels::testing::*;
use candle_core::{Tensor, Var};

fn matches_candles<E: Element>() {
    for (case, (rows, widths)) in
        [(1, vec![1]), (3, vec![5, 1]), (2 * 7 * 7, vec![3, 24, 7]), (513, vec![64, 64])].into_iter().enumerate()
    {
        let part = |k: usize| values::<E>((10 * case + k) as u64, rows * widths[k]);
        let parts: Vec<Vec<E>> = (0..widths.len()).map(part).collect();
        let c: usize = widths.iter().sum();
        let dy = values::<E>(1000 + case as u64, rows * c);
        let vars: Vec<Var> =
            parts.iter().zip(&widths).map(|(p, w)| Var::from_tensor(&tensor(p, &[rows, *w])).unwrap()).collect();
        let twin = Tensor::cat(&vars.iter().map(Var::as_tensor).collect::<Vec<_>>(), 1).unwrap();
        let grads = (&twin * tensor(&dy, &[rows, c])).unwrap().sum_all().unwrap().backward().unwrap();

        let mut y = vec![E::zeroed(); rows * c];
        let with_widths: Vec<(&[E], usize)> = parts.iter().map(Vec::as_slice).zip(widths.iter().copied()).collect();
        forward(&with_widths, &mut y);
        assert_close("y", &y, &flat(&twin), 0.0);
        let mut first = 0;
        for (k, width) in widths.iter().enumerate() {
            let want = flat(grads.get(&vars[k]).unwrap());
            let (mut dx, mut sum) = (parts[k].clone(), parts[k].clone());
            backward(&dy, c, first, *width, Grad::overwrite(&mut dx));
            assert_close("dx", &dx, &want, 0.0);
            backward(&dy, c, first, *width, Grad::add(&mut sum));
            let summed: Vec<f64> = want.iter().zip(doubles(&parts[k])).map(|(w, p)| w + p).collect();
            assert_close("dx added", &sum, &summed, 1e-6);
            first += width;
        }
    }
}
for_all_types!(matches_candles);

#[test]
fn threads_do_not_matter() {
    let (a, b) = (values::<f32>(1, 9001 * 5), values::<f32>(2, 9001 * 3));
    assert_same_for_threads("concat", || {
        let (mut y, mut dx) = (vec![0.0; 9001 * 8], vec![0.0; b.len()]);
        forward(&[(&a[..], 5), (&b[..], 3)], &mut y);
        backward(&y, 8, 5, 3, Grad::overwrite(&mut dx));
        assert!(dx == b);
        y
    });
}
