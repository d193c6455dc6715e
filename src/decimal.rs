//! Writes decimal numbers.

/// Appends a number. The formatting of the standard library takes several times as long.
pub(crate) fn write(mut number: u64, out: &mut Vec<u8>) {
    // 2^64 has 20 digits.
    let mut digits = [0; 20];
    let mut at = digits.len();
    loop {
        at -= 1;
        digits[at] = b"0123456789"[(number % 10) as usize];
        number /= 10;
        if number == 0 {
            break;
        }
    }
    out.extend_from_slice(&digits[at..]);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_appended_as_the_standard_library_writes_them() {
        for number in [0, 1, 9, 10, 99, 100, 1_234_567, u64::from(u32::MAX), u64::MAX] {
            let mut out = b"n=".to_vec();
            write(number, &mut out);
            assert_eq!(String::from_utf8(out).unwrap(), format!("n={number}"));
        }
    }
}
