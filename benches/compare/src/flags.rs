//! What may stand behind the name of a measurement that compares clients.

use crate::failure::Failure;

#[derive(Debug)]
pub struct Flags {
    /// The numbers once more, as JSON.
    pub json: bool,
    /// Fewer and shorter rounds.
    pub quick: bool,
    /// Which to measure, in this order.
    pub arms: Vec<&'static str>,
}

impl Flags {
    /// `known` are the arms that there are, which are also those without `--arms`.
    pub fn parse(flags: &[&str], known: &[&'static str]) -> Result<Self, Failure> {
        let mut parsed = Self { json: false, quick: false, arms: known.to_vec() };
        let mut flags = flags.iter();
        while let Some(flag) = flags.next() {
            match *flag {
                "--json" => parsed.json = true,
                "--quick" => parsed.quick = true,
                "--arms" => {
                    let wanted = flags.next().ok_or("--arms needs names, separated by commas")?;
                    let find = |name| known.iter().copied().find(|known| *known == name);
                    let arms = wanted.split(',').map(|name| {
                        find(name).ok_or_else(|| {
                            format!("there is no arm {name:?} here, but {}", known.join(", "))
                        })
                    });
                    parsed.arms = arms.collect::<Result<_, _>>()?;
                }
                _ => return Err(format!("the flag {flag:?} is not known").into()),
            }
        }
        Ok(parsed)
    }
}
