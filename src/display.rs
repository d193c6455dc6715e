//! Formats names, amounts and counts for people.

use std::fmt;
use std::time::Duration;

use crate::money::Money;

/// A name from outside, on one line. Characters that are not printable, which could control a
/// terminal or break a table, become escapes such as `\n`.
pub(crate) fn name(text: &str) -> String {
    text.chars().map(piece).map(|(piece, _)| piece).collect()
}

/// A [`name`] in exactly `columns` columns, at least three: padded with spaces, or with its middle
/// left out.
pub(crate) fn name_in(text: &str, columns: usize) -> String {
    let pieces: Vec<(String, usize)> = text.chars().map(piece).collect();
    let width: usize = pieces.iter().map(|(_, width)| width).sum();
    if width <= columns {
        let text: String = pieces.into_iter().map(|(piece, _)| piece).collect();
        return text + &" ".repeat(columns - width);
    }
    let take = |pieces: &mut dyn Iterator<Item = &(String, usize)>, columns: usize| {
        let mut used = 0;
        let fits = |(_, width): &&(String, usize)| {
            used += width;
            used <= columns
        };
        let taken: Vec<(String, usize)> = pieces.take_while(fits).cloned().collect();
        let used: usize = taken.iter().map(|(_, width)| width).sum();
        (taken, used)
    };
    // The ends say more than the middle: a model's maker comes first, its date last.
    let (mut back, back_used) = take(&mut pieces.iter().rev(), (columns - 1) / 2);
    let (front, front_used) = take(&mut pieces.iter(), columns - 1 - back_used);
    back.reverse();
    let text = |pieces: Vec<(String, usize)>| pieces.into_iter().map(|(piece, _)| piece);
    let shown: String = text(front).chain(["…".to_owned()]).chain(text(back)).collect();
    shown + &" ".repeat(columns - front_used - 1 - back_used)
}

/// The beginning of a text from outside, on one line of at most `columns` columns. Whitespace
/// becomes single spaces, and characters that are not printable become escapes.
pub(crate) fn start(text: &str, columns: usize) -> String {
    let mut shown = String::new();
    let mut used = 0;
    // Where to cut if the text turns out too long: the ellipsis takes a column.
    let mut cut = 0;
    for (number, word) in text.split_whitespace().enumerate() {
        let space = if number == 0 { "" } else { " " };
        for (piece, width) in space.chars().chain(word.chars()).map(piece) {
            used += width;
            if used > columns {
                shown.truncate(cut);
                return shown + "…";
            }
            shown.push_str(&piece);
            if used < columns {
                cut = shown.len();
            }
        }
    }
    shown
}

/// The displayed form of a character, and how many columns it takes.
fn piece(char: char) -> (String, usize) {
    if char.is_ascii_graphic() || char == ' ' {
        return (char.to_string(), 1);
    }
    // Unlike `char::escape_debug`, `str::escape_debug` keeps marks that combine with the letter
    // before them. Both escape what cannot be printed.
    let after_letter = format!("a{char}");
    let printable = after_letter.escape_debug().count() == 2;
    if !printable {
        let escaped: String = char.escape_debug().collect();
        let width = escaped.len();
        return (escaped, width);
    }
    let combines = char.escape_debug().len() > 1;
    (char.to_string(), if combines { 0 } else { 1 + usize::from(is_wide(char)) })
}

/// Whether terminals show a character in two columns: roughly the wide blocks of Unicode Standard
/// Annex 11, East Asian Width.
fn is_wide(char: char) -> bool {
    matches!(
        u32::from(char),
        0x1100..=0x115F
            | 0x2E80..=0xA4CF
            | 0xA960..=0xA97F
            | 0xAC00..=0xD7A3
            | 0xF900..=0xFAFF
            | 0xFE30..=0xFE6F
            | 0xFF01..=0xFF60
            | 0xFFE0..=0xFFE6
            | 0x1F300..=0x1FAFF
            | 0x20000..=0x3FFFD
    )
}

/// A budget in a sentence: `"daily" (customer=acme)`.
pub(crate) fn budget(f: &mut fmt::Formatter<'_>, budget: &str, account: &str) -> fmt::Result {
    write!(f, "\"{}\"", name(budget).replace('"', "\\\""))?;
    if account.is_empty() || account == budget {
        return Ok(());
    }
    write!(f, " ({})", name(account))
}

/// An amount in a sentence: to the cent, or below a dollar with as many more digits as matter:
/// `$12.35`, `$0.30`, `$0.0042`.
pub(crate) fn money(amount: Money) -> String {
    money_beside(amount, amount)
}

/// An amount in a sentence next to another one, with as many digits as matter for the other:
/// `$0.0063` next to `$0.01`.
pub(crate) fn money_beside(amount: Money, other: Money) -> String {
    let digits = digits(other);
    let text = money_to(amount, digits);
    let zeros = text.len() - text.trim_end_matches('0').len();
    let cut = zeros.min(digits.saturating_sub(2));
    text[..text.len() - cut].to_owned()
}

/// An amount with `digits` digits. An amount that would look like zero is shown as less than the
/// smallest step.
pub(crate) fn money_to(amount: Money, digits: usize) -> String {
    let least = Money::picos(10_i128.pow(12 - u32::try_from(digits.min(12)).unwrap_or(12)));
    if !amount.is_zero() && amount < least && -amount < least {
        return format!("<{least:.digits$}");
    }
    format!("{amount:.digits$}")
}

/// How many digits show the size of an amount.
pub(crate) fn digits(amount: Money) -> usize {
    let size = amount.max(-amount);
    if size >= Money::dollars(1) || size.is_zero() {
        2
    } else if size >= Money::cents(1) {
        4
    } else {
        6
    }
}

/// A count with thousands separators: `1,234,567`.
pub(crate) fn count(count: u64) -> String {
    let digits = count.to_string();
    let mut text = String::with_capacity(digits.len() * 4 / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at) % 3 == 0 {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A number of tokens, shortened: `999`, `1.2 k`, `34.5 M`.
pub(crate) fn tokens(count: u64) -> String {
    if count < 1_000 {
        return count.to_string();
    }
    let units =
        [(1_000_u64, 'k'), (1_000_000, 'M'), (1_000_000_000, 'G'), (1_000_000_000_000, 'T')];
    // In tenths, half up. What rounds to a thousand is shown in the next unit.
    let tenths = |size: u64| (u128::from(count) * 10 + u128::from(size) / 2) / u128::from(size);
    let unit = units.into_iter().find(|(size, _)| tenths(*size) < 10_000);
    let (size, unit) = unit.unwrap_or(units[3]);
    let tenths = tenths(size);
    format!("{}.{} {unit}", tenths / 10, tenths % 10)
}

/// A duration in at most six columns: `850µs`, `12.3ms`, `4.21s`, `2m05s`, `1h02m`, `4d03h`.
pub(crate) fn duration(duration: Duration) -> String {
    let (micros, seconds) = (duration.as_micros(), duration.as_secs());
    // Three digits, unless they round up to the next unit.
    let digits = |value: f64, unit: &str| {
        let digits = if value < 9.995 { 2 } else { usize::from(value < 99.95) };
        format!("{value:.digits$}{unit}")
    };
    match micros {
        ..1_000 => format!("{micros}µs"),
        1_000..999_500 => digits(duration.as_secs_f64() * 1e3, "ms"),
        999_500..59_950_000 => digits(duration.as_secs_f64(), "s"),
        _ if seconds < 3_600 => {
            let seconds = seconds.max(60);
            format!("{}m{:02}s", seconds / 60, seconds % 60)
        }
        _ if seconds < 86_400 => format!("{}h{:02}m", seconds / 3_600, seconds / 60 % 60),
        _ => format!("{}d{:02}h", seconds / 86_400, seconds / 3_600 % 24),
    }
}

/// What calls cost: an [amount](money), or that it is unknown, because `unpriced` of them are to models
/// without a known price and no other has a cost.
pub(crate) fn cost(amount: Money, unpriced: u64) -> String {
    if unpriced > 0 && amount.is_zero() { "unknown cost".to_owned() } else { money(amount) }
}

/// A count with its noun: `1 call`, `1,234 calls`.
pub(crate) fn counted(number: u64, noun: &str) -> String {
    let plural = match (number, noun.ends_with("ch"), noun.strip_suffix('y')) {
        (1, _, _) => noun.to_owned(),
        (_, true, _) => format!("{noun}es"),
        (_, _, Some(stem)) => format!("{stem}ies"),
        (_, _, None) => format!("{noun}s"),
    };
    format!("{} {plural}", count(number))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_from_outside_stay_on_their_line_and_in_their_columns() {
        for (text, shown) in [
            ("gpt-4o", "gpt-4o"),
            ("a \"b\" c\\d", "a \"b\" c\\d"),
            ("one\ntwo\r\tthree\0", "one\\ntwo\\r\\tthree\\0"),
            ("\u{1b}[31mred\u{7f}\u{9b}", "\\u{1b}[31mred\\u{7f}\\u{9b}"),
            ("x\u{202e}y\u{200b}\u{2028}\u{feff}", "x\\u{202e}y\\u{200b}\\u{2028}\\u{feff}"),
            ("Zoë, 東京, हिन्दी", "Zoë, 東京, हिन्दी"),
        ] {
            assert_eq!(name(text), shown);
        }
        for (text, columns, shown) in [
            ("gpt-4o", 8, "gpt-4o  "),
            ("gpt-4o", 6, "gpt-4o"),
            ("claude-sonnet-4-20250514", 13, "claude…250514"),
            ("東京東京", 7, "東京…京"),
            ("東京東京", 8, "東京東京"),
            ("東京東京", 6, "東…京 "),
            ("e\u{301}e\u{301}", 3, "e\u{301}e\u{301} "),
            ("\u{1b}\u{1b}\u{1b}", 9, "\\u{1b}…  "),
            ("", 3, "   "),
        ] {
            assert_eq!(name_in(text, columns), shown, "{text:?} in {columns}");
        }
    }

    #[test]
    fn long_texts_are_cut_at_the_end() {
        for (text, columns, shown) in [
            ("all of it", 9, "all of it"),
            ("one\ntwo  \tthree ", 13, "one two three"),
            ("one two three", 12, "one two thr…"),
            ("東京東京", 8, "東京東京"),
            ("東京東京", 7, "東京東…"),
            ("東京東京", 6, "東京…"),
            ("a\u{1b}b", 7, "a…"),
            ("a\u{1b}b", 8, "a\\u{1b}b"),
            ("a\u{1b}b", 5, "a…"),
            ("", 5, ""),
        ] {
            assert_eq!(start(text, columns), shown, "{text:?} in {columns}");
        }
    }

    #[test]
    fn amounts_show_the_digits_that_matter() {
        for (amount, shown) in [
            ("0", "$0.00"),
            ("12.345", "$12.35"),
            ("1234567", "$1234567.00"),
            ("0.3", "$0.30"),
            ("0.0042", "$0.0042"),
            ("0.0123", "$0.0123"),
            ("0.00000049", "<$0.000001"),
            ("0.000001", "$0.000001"),
            ("-0.3", "-$0.30"),
        ] {
            assert_eq!(money(amount.parse().unwrap()), shown, "{amount}");
        }
        for (amount, other, shown) in [
            ("0.006341", "0.01", "$0.0063"),
            ("0.01", "0.006341", "$0.01"),
            ("0.006", "5", "<$0.01"),
            ("4.99951", "0.0018", "$4.99951"),
            ("0", "0.0018", "$0.00"),
        ] {
            assert_eq!(money_beside(amount.parse().unwrap(), other.parse().unwrap()), shown);
        }
        assert_eq!(money_to(Money::picos(1), 2), "<$0.01");
        assert_eq!(money_to(Money::picos(-1), 4), "<$0.0001");
        assert_eq!(money_to(Money::cents(1), 2), "$0.01");
        assert_eq!(money_to(Money::ZERO, 4), "$0.0000");
    }

    #[test]
    fn counts_are_short() {
        for (number, whole, short) in [
            (0, "0", "0"),
            (999, "999", "999"),
            (1_000, "1,000", "1.0 k"),
            (1_250, "1,250", "1.3 k"),
            (999_949, "999,949", "999.9 k"),
            (999_950, "999,950", "1.0 M"),
            (12_345_678, "12,345,678", "12.3 M"),
            (7_000_000_000, "7,000,000,000", "7.0 G"),
            (u64::MAX, "18,446,744,073,709,551,615", "18446744.1 T"),
        ] {
            assert_eq!((count(number).as_str(), tokens(number).as_str()), (whole, short));
        }
    }

    #[test]
    fn durations_have_three_digits_or_two_units() {
        for (micros, shown) in [
            (0, "0µs"),
            (999, "999µs"),
            (1_000, "1.00ms"),
            (9_994, "9.99ms"),
            (9_996, "10.0ms"),
            (99_960, "100ms"),
            (999_499, "999ms"),
            (999_500, "1.00s"),
            (59_949_999, "59.9s"),
            (59_950_000, "1m00s"),
            (125_900_000, "2m05s"),
            (3_599_999_999, "59m59s"),
            (3_720_000_000, "1h02m"),
            (356_400_000_000, "4d03h"),
        ] {
            assert_eq!(duration(Duration::from_micros(micros)), shown, "{micros}");
        }
    }

    #[test]
    fn nouns_agree_with_their_counts() {
        for (number, noun, shown) in [
            (1, "call", "1 call"),
            (0, "call", "0 calls"),
            (1_234, "web search", "1,234 web searches"),
            (2, "retry", "2 retries"),
        ] {
            assert_eq!(counted(number, noun), shown);
        }
    }
}
