//! A place in a schema.

use std::fmt;

/// A place in a schema, shown as a JSON path (RFC 9535): `$.properties.city.items`.
#[derive(Clone, Copy)]
pub(super) struct Path<'a> {
    above: Option<&'a Path<'a>>,
    step: &'a str,
    depth: usize,
}

impl<'a> Path<'a> {
    pub(super) const ROOT: Path<'static> = Path { above: None, step: "$", depth: 0 };

    pub(super) fn to(&'a self, step: &'a str) -> Self {
        Path { above: Some(self), step, depth: self.depth + 1 }
    }

    pub(super) fn depth(&self) -> usize {
        self.depth
    }
}

impl fmt::Display for Path<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(above) = self.above else { return f.write_str(self.step) };
        above.fmt(f)?;
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_$".contains(&byte);
        match self.step {
            step if !step.is_empty() && step.bytes().all(|byte| byte.is_ascii_digit()) => {
                write!(f, "[{step}]")
            }
            step if !step.is_empty() && step.bytes().all(plain) => write!(f, ".{step}"),
            step => write!(f, "[{step:?}]"),
        }
    }
}
