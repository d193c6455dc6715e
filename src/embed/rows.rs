//! `Rows`: vectors of one dimension, one after the other.

use std::fmt;

/// Vectors of one dimension in one allocation.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Rows {
    values: Vec<f32>,
    /// 0 while there is no row.
    dimension: usize,
}

/// Why a vector cannot be added.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RowError {
    Empty,
    NotFinite { component: usize },
    Dimension { found: usize, expected: usize },
}

impl fmt::Display for RowError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("is empty"),
            Self::NotFinite { component } => {
                write!(f, "has a component that is not a finite number, at position {component}")
            }
            Self::Dimension { found, expected } => {
                write!(f, "has {found} components, but the ones before it have {expected}")
            }
        }
    }
}

impl Rows {
    /// Makes room for this many more rows of this dimension.
    pub(crate) fn reserve(&mut self, rows: usize, dimension: usize) {
        self.values.reserve(rows.saturating_mul(dimension));
    }

    /// Adds a row.
    ///
    /// # Errors
    ///
    /// A [`RowError`] if the row is empty, has a component that is not finite, or another dimension
    /// than the rows before it. Nothing is added then.
    pub(crate) fn push(&mut self, row: &[f32]) -> Result<(), RowError> {
        let expected = if self.dimension == 0 { row.len() } else { self.dimension };
        if row.is_empty() {
            return Err(RowError::Empty);
        }
        if row.len() != expected {
            return Err(RowError::Dimension { found: row.len(), expected });
        }
        if let Some(component) = row.iter().position(|value| !value.is_finite()) {
            return Err(RowError::NotFinite { component });
        }
        self.dimension = expected;
        self.values.extend_from_slice(row);
        Ok(())
    }

    /// Adds the rows of another batch.
    ///
    /// # Errors
    ///
    /// A [`RowError`] if they have another dimension. Nothing is added then.
    pub(crate) fn append(&mut self, mut other: Self) -> Result<(), RowError> {
        if other.dimension == 0 {
            return Ok(());
        }
        if self.dimension == 0 {
            *self = other;
            return Ok(());
        }
        if other.dimension != self.dimension {
            return Err(RowError::Dimension { found: other.dimension, expected: self.dimension });
        }
        self.values.append(&mut other.values);
        Ok(())
    }

    pub(crate) fn len(&self) -> usize {
        self.values.len().checked_div(self.dimension).unwrap_or(0)
    }

    pub(crate) fn dimension(&self) -> usize {
        self.dimension
    }

    pub(crate) fn values(&self) -> &[f32] {
        &self.values
    }

    pub(crate) fn into_values(self) -> Vec<f32> {
        self.values
    }

    pub(crate) fn row(&self, place: usize) -> Option<&[f32]> {
        let start = place.checked_mul(self.dimension)?;
        let row = self.values.get(start..start.checked_add(self.dimension)?)?;
        (!row.is_empty()).then_some(row)
    }

    pub(crate) fn iter(&self) -> std::slice::ChunksExact<'_, f32> {
        // Without rows there are no values, so any size but 0 yields nothing.
        self.values.chunks_exact(self.dimension.max(1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_have_one_dimension_and_finite_components() {
        let mut rows = Rows::default();
        assert_eq!((rows.len(), rows.iter().count(), rows.row(0)), (0, 0, None));
        rows.push(&[1.0, 2.0]).unwrap();
        rows.push(&[3.0, 4.0]).unwrap();
        for (row, expected) in [
            (&[][..], RowError::Empty),
            (&[1.0], RowError::Dimension { found: 1, expected: 2 }),
            (&[0.0, f32::NAN], RowError::NotFinite { component: 1 }),
            (&[f32::NEG_INFINITY, 0.0], RowError::NotFinite { component: 0 }),
        ] {
            assert_eq!(rows.push(row), Err(expected));
        }
        assert_eq!(rows.iter().collect::<Vec<_>>(), [[1.0, 2.0], [3.0, 4.0]]);
        assert_eq!((rows.row(1), rows.row(2)), (Some(&[3.0, 4.0][..]), None));
        assert_eq!(rows.row(usize::MAX), None);
    }

    #[test]
    fn batches_join_only_if_their_dimensions_are_equal() {
        let rows = |values: &[f32]| {
            let mut rows = Rows::default();
            rows.push(values).unwrap();
            rows
        };
        let mut all = Rows::default();
        all.append(rows(&[1.0, 2.0])).unwrap();
        all.append(rows(&[3.0, 4.0])).unwrap();
        all.append(Rows::default()).unwrap();
        let error = all.append(rows(&[5.0])).unwrap_err();
        assert_eq!(error, RowError::Dimension { found: 1, expected: 2 });
        assert_eq!((all.len(), all.into_values()), (2, vec![1.0, 2.0, 3.0, 4.0]));
    }
}
