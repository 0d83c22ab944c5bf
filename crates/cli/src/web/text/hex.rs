//! Hexadecimal digits, as people paste them.

use crate::web::trouble::Trouble;

/// Reads hexadecimal digits: spaces, newlines, commas, semicolons, colons, hyphens, `0x` and `\x` between them are ignored.
///
/// # Errors
/// The first character that is no such thing, or the place of a digit whose other half is missing; counted from 1.
pub(crate) fn parse(text: &str) -> Result<Vec<u8>, Trouble> {
    let mut bytes = Vec::with_capacity(text.len() / 2);
    let mut half: Option<(u32, usize)> = None;
    let mut characters = text.chars().enumerate().peekable();
    while let Some((index, character)) = characters.next() {
        let next = characters.peek().map(|(_, next)| *next);
        let is_prefix = half.is_none() && matches!(character, '0' | '\\') && matches!(next, Some('x' | 'X'));
        if is_prefix {
            characters.next();
        } else if let Some(digit) = character.to_digit(16) {
            half = match half {
                None => Some((digit, index)),
                Some((high, _)) => {
                    bytes.push((high * 16 + digit) as u8);
                    None
                }
            };
        } else if character.is_whitespace() || matches!(character, ',' | ';' | ':' | '-' | '，') {
            // A digit that stands alone is a small byte.
            if let Some((digit, _)) = half.take() {
                bytes.push(digit as u8);
            }
        } else {
            let words = format!("`{character}` at position {} is no hexadecimal digit", index + 1);
            let next =
                "digits are 0-9 and a-f; spaces, commas, newlines, `:`, `-` and 0x may stand between them";
            return Err(Trouble::new("bad-hex", words, next)
                .with("character", character.to_string())
                .with("position", index + 1));
        }
    }
    match half {
        // One digit is a byte; the odd one at the end of a row of digits has lost its other half.
        Some((digit, index)) if is_alone(text, index) => bytes.push(digit as u8),
        Some((_, index)) => {
            let words = format!("the digit at position {} stands alone: a byte has two", index + 1);
            return Err(
                Trouble::new("odd-hex", words, "add the digit that is missing").with("position", index + 1)
            );
        }
        None => {}
    }
    Ok(bytes)
}

/// Whether no digit stands right before this one, but for `0x`.
fn is_alone(text: &str, index: usize) -> bool {
    let before = index.checked_sub(1).and_then(|before| text.chars().nth(before));
    !before.is_some_and(|before| before.is_ascii_hexdigit())
}

/// Two digits a byte, with spaces between them.
pub(crate) fn format(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digit = |value: u8| DIGITS.get(usize::from(value)).map_or('0', |digit| char::from(*digit));
    let mut text = String::with_capacity(bytes.len() * 3);
    for (index, byte) in bytes.iter().enumerate() {
        if index > 0 {
            text.push(' ');
        }
        text.push(digit(byte >> 4));
        text.push(digit(byte & 15));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_people_paste_is_understood() {
        for text in [
            "01 02 aB ff",
            "0102abFF",
            "0x01, 0x02, 0xab, 0xff",
            "01:02:ab:ff",
            "01-02-AB-FF\r\n",
            "1 2 ab ff",
            "\\x01\\x02\\xab\\xff",
            "0x0102 0xabff",
            "01,\n02;\tab，ff",
        ] {
            assert_eq!(parse(text).unwrap(), [1, 2, 0xAB, 0xFF], "{text}");
        }
        assert!(parse("").unwrap().is_empty());
        assert_eq!(parse("7").unwrap(), [7]);
        assert_eq!(parse("00").unwrap(), [0]);
        assert_eq!(parse("0x7").unwrap(), [7]);
    }

    #[test]
    fn what_is_wrong_is_shown_with_its_place() {
        let wrong = |text| {
            let trouble = parse(text).unwrap_err();
            (trouble.code.clone(), trouble.facts.get("position").and_then(|n| n.as_u64()))
        };
        assert_eq!(wrong("01 0g"), ("bad-hex".to_owned(), Some(5)));
        assert_eq!(wrong("你"), ("bad-hex".to_owned(), Some(1)));
        assert_eq!(wrong("01 023"), ("odd-hex".to_owned(), Some(6)));
    }

    #[test]
    fn bytes_are_written_with_spaces() {
        assert_eq!(format(&[0x80, 0xFF, 0]), "80 ff 00");
    }
}
