//! `Money`: exact amounts of US dollars.

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use std::fmt;
use std::iter::Sum;
use std::ops::{Add, AddAssign, Mul, Neg, Sub, SubAssign};
use std::str::FromStr;

use crate::error::{Error, ErrorKind};

/// Pico-dollars per dollar.
const DOLLAR: i128 = 1_000_000_000_000;

/// Digits after the decimal point.
const DIGITS: usize = 12;

/// Room for the text of nearly all amounts, so that it is allocated once.
const USUAL: usize = 24;

/// An amount of US dollars, exact to the pico-dollar (10⁻¹² dollars).
///
/// It is an integer, so sums are exact in any order and no decision rests on a rounded number. A
/// token costs about 10⁵ pico-dollars, and the range exceeds all the money in the world.
/// Sums and products saturate.
///
/// Text and serde use decimal dollars:
///
/// ```
/// use tollgate::Money;
///
/// let price: Money = "$2.50".parse()?;
/// assert_eq!(price + Money::cents(50), Money::dollars(3));
/// assert_eq!(price.to_string(), "$2.50");
/// assert_eq!(format!("{:.4}", Money::picos(123_456_789)), "$0.0001");
/// # Ok::<(), tollgate::Error>(())
/// ```
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Money(i128);

impl Money {
    /// Zero.
    pub const ZERO: Self = Self(0);

    /// The largest amount.
    pub const MAX: Self = Self(i128::MAX);

    /// Creates an amount from whole dollars.
    pub const fn dollars(dollars: i64) -> Self {
        Self(dollars as i128 * DOLLAR)
    }

    /// Creates an amount from cents.
    pub const fn cents(cents: i64) -> Self {
        Self(cents as i128 * (DOLLAR / 100))
    }

    /// Creates an amount from pico-dollars (10⁻¹² dollars).
    pub const fn picos(picos: i128) -> Self {
        Self(picos)
    }

    /// The amount in pico-dollars.
    pub const fn as_picos(self) -> i128 {
        self.0
    }

    /// The amount in dollars, rounded, for charts and ratios. Do not base decisions on it.
    #[allow(clippy::cast_precision_loss)]
    pub fn as_dollars(self) -> f64 {
        self.0 as f64 / DOLLAR as f64
    }

    /// Whether it is less than zero.
    pub const fn is_negative(self) -> bool {
        self.0 < 0
    }

    /// Whether it is zero.
    pub const fn is_zero(self) -> bool {
        self.0 == 0
    }

    /// The difference, or zero if `other` is larger.
    #[must_use]
    pub fn saturating_sub(self, other: Self) -> Self {
        (self - other).max(Self::ZERO)
    }

    /// Parses decimal dollars: digits, at most twelve of them after the point (not counting
    /// trailing zeros), with an optional sign and dollar sign in front.
    fn read(text: &str) -> Option<Self> {
        let (negative, digits) = match text.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, text),
        };
        let digits = digits.strip_prefix('$').unwrap_or(digits);
        let (whole, part) = digits.split_once('.').unwrap_or((digits, ""));
        let part = part.trim_end_matches('0');
        let all_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
        if (whole.is_empty() && !digits.contains('.')) || digits == "." {
            return None;
        }
        if part.len() > DIGITS || !all_digits(whole) || !all_digits(part) {
            return None;
        }
        let mut picos: i128 = 0;
        for digit in whole.bytes().chain(part.bytes().chain([b'0'; DIGITS]).take(DIGITS)) {
            picos = picos.checked_mul(10)?.checked_add(i128::from(digit - b'0'))?;
        }
        Some(Self(if negative { -picos } else { picos }))
    }

    /// Appends decimal dollars without the dollar sign, at least to the cent.
    fn write(self, text: &mut String, precision: Option<usize>) {
        // Rounds half away from zero.
        let kept = precision.unwrap_or(DIGITS).min(DIGITS);
        let step = 10_u128.pow(u32::try_from(DIGITS - kept).unwrap_or_default());
        let picos = self.0.unsigned_abs();
        let rounded = match step {
            1 => picos,
            step => (picos / step + u128::from(picos % step >= step / 2)) * step,
        };
        let (whole, part) = (rounded / DOLLAR.unsigned_abs(), rounded % DOLLAR.unsigned_abs());
        // Most calls cost less than a dollar.
        match whole {
            0 => text.push('0'),
            _ => text.push_str(&whole.to_string()),
        }
        // It is less than a dollar, so it fits. One digit at a time is much faster than formatting.
        let mut part = u64::try_from(part).unwrap_or_default();
        let mut digits = [b'0'; DIGITS];
        for digit in digits.iter_mut().rev() {
            *digit += u8::try_from(part % 10).unwrap_or_default();
            part /= 10;
        }
        let shown = match precision {
            Some(_) => kept,
            None => {
                digits.iter().rposition(|digit| *digit != b'0').map_or(2, |last| (last + 1).max(2))
            }
        };
        if shown > 0 {
            text.push('.');
            text.extend(digits[..shown].iter().copied().map(char::from));
        }
    }
}

/// Dollars with all digits of the amount, at least to the cent. A precision (`{:.4}`) rounds to
/// that many digits.
impl fmt::Display for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = String::from(if self.is_negative() { "-$" } else { "$" });
        self.write(&mut text, f.precision());
        // `pad` would use the precision to truncate.
        let missing = f.width().unwrap_or(0).saturating_sub(text.len());
        write!(f, "{:missing$}{text}", "")
    }
}

impl fmt::Debug for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Parses dollars as people write them: `5`, `0.25`, `$1.50`, `-3`.
impl FromStr for Money {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        Self::read(text.trim()).ok_or_else(|| {
            Error::new(
                ErrorKind::Configuration,
                format!(
                    "{text:?} is not an amount of dollars; write digits, at most twelve of them \
                     after the point, such as \"0.25\""
                ),
            )
        })
    }
}

/// Converts the decimal form of the float, rounded to twelve digits after the point: `0.1` is ten
/// cents.
impl TryFrom<f64> for Money {
    type Error = Error;

    fn try_from(dollars: f64) -> Result<Self, Error> {
        // Anything finer than a pico-dollar is noise of float arithmetic.
        let mut text = dollars.to_string();
        if text.split_once('.').is_some_and(|(_, part)| part.len() > DIGITS) {
            text = format!("{dollars:.DIGITS$}");
        }
        if !dollars.is_finite() {
            return Err(Error::new(
                ErrorKind::Configuration,
                format!("{dollars} is not an amount of dollars; pass a finite number"),
            ));
        }
        text.parse()
    }
}

impl Add for Money {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }
}

impl Sub for Money {
    type Output = Self;

    fn sub(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }
}

impl Neg for Money {
    type Output = Self;

    fn neg(self) -> Self {
        Self(self.0.saturating_neg())
    }
}

impl Mul<u64> for Money {
    type Output = Self;

    fn mul(self, times: u64) -> Self {
        Self(self.0.saturating_mul(i128::from(times)))
    }
}

impl AddAssign for Money {
    fn add_assign(&mut self, other: Self) {
        *self = *self + other;
    }
}

impl SubAssign for Money {
    fn sub_assign(&mut self, other: Self) {
        *self = *self - other;
    }
}

impl Sum for Money {
    fn sum<I: Iterator<Item = Self>>(amounts: I) -> Self {
        amounts.fold(Self::ZERO, Add::add)
    }
}

impl<'a> Sum<&'a Money> for Money {
    fn sum<I: Iterator<Item = &'a Money>>(amounts: I) -> Self {
        amounts.copied().sum()
    }
}

/// Serializes as a string of decimal dollars, `"2.50"`, so that no reader makes it a float.
impl Serialize for Money {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        // Most items of a cost are zero.
        if self.is_zero() {
            return serializer.serialize_str("0.00");
        }
        let mut text = String::with_capacity(USUAL);
        if self.is_negative() {
            text.push('-');
        }
        self.write(&mut text, None);
        serializer.serialize_str(&text)
    }
}

/// Deserializes a string of decimal dollars, or a number.
impl<'de> Deserialize<'de> for Money {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;

        impl de::Visitor<'_> for Visitor {
            type Value = Money;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an amount of dollars")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Money, E> {
                text.parse().map_err(|error: Error| E::custom(error.message()))
            }

            fn visit_f64<E: de::Error>(self, dollars: f64) -> Result<Money, E> {
                Money::try_from(dollars).map_err(|error| E::custom(error.message()))
            }

            fn visit_u64<E: de::Error>(self, dollars: u64) -> Result<Money, E> {
                Ok(Money(i128::from(dollars) * DOLLAR))
            }

            fn visit_i64<E: de::Error>(self, dollars: i64) -> Result<Money, E> {
                Ok(Money::dollars(dollars))
            }
        }

        deserializer.deserialize_any(Visitor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_read_and_written_exactly() {
        for (text, picos, shown) in [
            ("0", 0, "$0.00"),
            ("5", 5 * DOLLAR, "$5.00"),
            ("$1.50", 3 * DOLLAR / 2, "$1.50"),
            (".25", DOLLAR / 4, "$0.25"),
            ("2.", 2 * DOLLAR, "$2.00"),
            ("-3.125", -3_125_000_000_000, "-$3.125"),
            ("-$0.01", -DOLLAR / 100, "-$0.01"),
            ("0.000000000001", 1, "$0.000000000001"),
            ("0.1000000000000000", DOLLAR / 10, "$0.10"),
            (" 12 ", 12 * DOLLAR, "$12.00"),
        ] {
            let money: Money = text.parse().unwrap();
            assert_eq!(money.as_picos(), picos, "{text}");
            assert_eq!(money.to_string(), shown, "{text}");
            assert_eq!(shown.parse::<Money>().unwrap(), money, "{text}");
            let stored = serde_json::to_string(&money).unwrap();
            assert_eq!(stored.replace('"', ""), shown.replace('$', ""), "{text}");
            assert_eq!(serde_json::from_str::<Money>(&stored).unwrap(), money, "{text}");
        }
    }

    #[test]
    fn texts_that_are_no_amounts_are_refused() {
        for text in [
            "",
            ".",
            "$",
            "-",
            "1,50",
            "1e3",
            "NaN",
            "inf",
            "--1",
            "1.2.3",
            "0.0000000000001",
            "5 $",
        ] {
            let error = text.parse::<Money>().unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Configuration, "{text}");
            assert!(error.message().contains(&format!("{text:?}")), "{error}");
        }
        assert!("9".repeat(40).parse::<Money>().is_err());
        for float in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, 1e300] {
            assert!(Money::try_from(float).is_err(), "{float}");
        }
        assert!(serde_json::from_str::<Money>("\"free\"").is_err());
        assert!(serde_json::from_str::<Money>("null").is_err());
    }

    #[test]
    fn floats_convert_by_their_decimal_form() {
        for (float, text) in [
            (0.1, "$0.10"),
            (0.1 + 0.2, "$0.30"),
            (5.0, "$5.00"),
            (-2.5, "-$2.50"),
            (1e-12, "$0.000000000001"),
            (1_000.1 + 0.2, "$1000.30"),
            (-(4_000.1 + 0.2), "-$4000.30"),
            (1e-13, "$0.00"),
            (123_456.789, "$123456.789"),
            (9_007_199_254_740_991.0, "$9007199254740991.00"),
            (1e20, "$100000000000000000000.00"),
        ] {
            assert_eq!(Money::try_from(float).unwrap().to_string(), text);
            let json = serde_json::to_string(&float).unwrap();
            assert_eq!(serde_json::from_str::<Money>(&json).unwrap().to_string(), text);
        }
    }

    #[test]
    fn a_precision_rounds_half_away_from_zero() {
        let money: Money = "-1.995".parse().unwrap();
        assert_eq!(format!("{money:.2}"), "-$2.00");
        assert_eq!(format!("{money:.0}"), "-$2");
        assert_eq!(format!("{:.2}", Money::picos(4_999_999_999)), "$0.00");
        assert_eq!(format!("{:.30}", Money::cents(1)), "$0.010000000000");
        assert_eq!(format!("{:>10.2}|", Money::cents(123)), "     $1.23|");
    }

    #[test]
    fn sums_are_exact_and_saturate() {
        let tenth = Money::cents(10);
        assert_eq!(std::iter::repeat_n(tenth, 10).sum::<Money>(), Money::dollars(1));
        assert_eq!(tenth * 10 - Money::dollars(1), Money::ZERO);
        assert_eq!(Money::MAX + tenth, Money::MAX);
        assert_eq!(Money::MAX * u64::MAX, Money::MAX);
        assert_eq!(tenth.saturating_sub(Money::dollars(1)), Money::ZERO);
        assert!((-tenth).is_negative());
    }
}
