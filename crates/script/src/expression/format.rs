//! `'cwnd=%d' % tcpi_snd_cwnd`: Python's older way of putting values into a text.

use super::value::Value;

/// As wide as one value may be told to be, and as many digits as may stand behind its point.
const WIDEST: usize = 100;

/// What stands between `%` and the letter.
#[derive(Default)]
struct Specification {
    left: bool,
    zeros: bool,
    sign: bool,
    alternate: bool,
    width: usize,
    precision: Option<usize>,
}

/// `text` with the members of `values`, which is one value unless it is a tuple, in the places of its `%`s.
pub(super) fn format_text(text: &str, values: &Value) -> Result<String, String> {
    let values = match values {
        Value::Tuple(members) => members.as_slice(),
        single => std::slice::from_ref(single),
    };
    let mut values = values.iter();
    let mut formatted = String::new();
    let mut characters = text.chars().peekable();
    while let Some(c) = characters.next() {
        if c != '%' {
            formatted.push(c);
            continue;
        }
        let mut specification = Specification::default();
        while let Some(flag) = characters.next_if(|c| "-0+#".contains(*c)) {
            match flag {
                '-' => specification.left = true,
                '0' => specification.zeros = true,
                '+' => specification.sign = true,
                _ => specification.alternate = true,
            }
        }
        specification.width = digits(&mut characters)?.unwrap_or(0);
        if characters.next_if_eq(&'.').is_some() {
            specification.precision = Some(digits(&mut characters)?.unwrap_or(0));
        }
        while characters.next_if(|c| "hlL".contains(*c)).is_some() {}
        let letter = characters.next().ok_or("a '%' ends this text")?;
        if letter == '%' {
            formatted.push('%');
            continue;
        }
        let value = values.next().ok_or_else(|| format!("too few values for '{text}'"))?;
        formatted.push_str(&one(&specification, letter, value)?);
    }
    if values.next().is_some() {
        return Err(format!("too many values for '{text}'"));
    }
    Ok(formatted)
}

fn digits(characters: &mut std::iter::Peekable<std::str::Chars<'_>>) -> Result<Option<usize>, String> {
    let mut number = None;
    while let Some(digit) = characters.next_if(char::is_ascii_digit) {
        let value = number.unwrap_or(0) * 10
            + digit.to_digit(10).and_then(|digit| usize::try_from(digit).ok()).unwrap_or(0);
        if value > WIDEST {
            return Err(format!("a format of more than {WIDEST} places"));
        }
        number = Some(value);
    }
    Ok(number)
}

fn one(specification: &Specification, letter: char, value: &Value) -> Result<String, String> {
    let wrong = || format!("'%{letter}' is not for {value}");
    let (negative, digits) = match letter {
        's' | 'r' => {
            let text = match value {
                Value::Text(text) if letter == 'r' => format!("'{text}'"),
                value => value.to_string(),
            };
            let text = specification.precision.map_or(text.clone(), |most| text.chars().take(most).collect());
            return Ok(padded(specification, "", &text, false));
        }
        'd' | 'i' | 'u' => {
            let value = match value {
                Value::Float(value) if value.abs() < 1e38 => value.trunc() as i128,
                value => value.integer().ok_or_else(wrong)?,
            };
            (value < 0, value.unsigned_abs().to_string())
        }
        'x' | 'X' | 'o' => {
            let value = value.integer().ok_or_else(wrong)?;
            let magnitude = value.unsigned_abs();
            let prefix = if specification.alternate { format!("0{letter}") } else { String::new() };
            let digits = match letter {
                'x' => format!("{magnitude:x}"),
                'X' => format!("{magnitude:X}"),
                _ => format!("{magnitude:o}"),
            };
            (value < 0, prefix + &digits)
        }
        'f' | 'F' => {
            let value = value.float().ok_or_else(wrong)?;
            (value.is_sign_negative(), format!("{:.*}", specification.precision.unwrap_or(6), value.abs()))
        }
        other => return Err(format!("the format '%{other}' is not known")),
    };
    let sign = match (negative, specification.sign) {
        (true, _) => "-",
        (false, true) => "+",
        (false, false) => "",
    };
    Ok(padded(specification, sign, &digits, true))
}

fn padded(specification: &Specification, sign: &str, text: &str, number: bool) -> String {
    let missing = specification.width.saturating_sub(sign.len() + text.chars().count());
    if specification.left {
        format!("{sign}{text}{}", " ".repeat(missing))
    } else if specification.zeros && number {
        format!("{sign}{}{text}", "0".repeat(missing))
    } else {
        format!("{}{sign}{text}", " ".repeat(missing))
    }
}
