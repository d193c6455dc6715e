use serde::Serialize;

/// How much to measure.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Effort {
    pub rounds: usize,
    pub quick: bool,
}

impl Effort {
    pub fn new(quick: bool) -> Self {
        Self { rounds: if quick { 1 } else { 5 }, quick }
    }

    /// Measures every peer once a round, a different one first each time, so that
    /// what else the machine does hits all alike. Returns a list by round for each.
    pub fn rotate<P, T, const N: usize>(
        self,
        peers: &[P; N],
        mut measure: impl FnMut(&P) -> T,
    ) -> [Vec<T>; N] {
        let mut found = [const { Vec::new() }; N];
        for round in 0..self.rounds {
            for turn in 0..N {
                let at = (round + turn) % N;
                found[at].push(measure(&peers[at]));
            }
        }
        found
    }

    /// The same for any number of peers that may fail, which ends it.
    pub fn rotate_all<P, T, E>(
        self,
        peers: &[P],
        mut measure: impl FnMut(&P) -> Result<T, E>,
    ) -> Result<Vec<Vec<T>>, E> {
        let mut found: Vec<Vec<T>> = peers.iter().map(|_| Vec::new()).collect();
        for round in 0..self.rounds {
            for turn in 0..peers.len() {
                let at = (round + turn) % peers.len();
                found[at].push(measure(&peers[at])?);
            }
        }
        Ok(found)
    }
}

pub fn median(values: impl IntoIterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.into_iter().collect();
    values.sort_unstable_by(f64::total_cmp);
    let (low, high) = ((values.len() - 1) / 2, values.len() / 2);
    f64::midpoint(values[low], values[high])
}

/// The median of the rounds' ratios: those of one round were measured one right
/// after the other.
pub fn ratio<T>(ours: &[T], theirs: &[T], value: impl Fn(&T) -> f64) -> f64 {
    median(ours.iter().zip(theirs).map(|(ours, theirs)| value(ours) / value(theirs)))
}

/// How far the middle half of them lies apart, of their median.
pub fn spread(values: &[f64]) -> f64 {
    let mut values = values.to_vec();
    values.sort_unstable_by(f64::total_cmp);
    let (low, high) = (values.len() / 4, values.len() - 1 - values.len() / 4);
    (values[high] - values[low]) / median(values)
}
