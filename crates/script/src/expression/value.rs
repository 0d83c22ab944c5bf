//! Values and what operators make of them. Integers have 128 bits where Python's have any number: more is an error.

use super::LONGEST_TEXT;
use super::format::format_text;
use std::cmp::Ordering;
use std::fmt;

/// What an expression gives.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// `None`
    None,
    /// `True` and `False`, which count as 1 and 0.
    Boolean(bool),
    /// `5`
    Integer(i128),
    /// `0.5`
    Float(f64),
    /// `'text'`
    Text(String),
    /// `(1, 2)`
    Tuple(Vec<Value>),
}

impl Value {
    /// Whether a condition of this value holds: what is zero or empty does not.
    pub fn holds(&self) -> bool {
        match self {
            Value::None => false,
            Value::Boolean(value) => *value,
            Value::Integer(value) => *value != 0,
            Value::Float(value) => *value != 0.0,
            Value::Text(text) => !text.is_empty(),
            Value::Tuple(members) => !members.is_empty(),
        }
    }

    /// The value as an integer, if it is one.
    pub(super) fn integer(&self) -> Option<i128> {
        match self {
            Value::Boolean(value) => Some(i128::from(*value)),
            Value::Integer(value) => Some(*value),
            _ => None,
        }
    }

    /// The value as a floating-point number, if it is any number.
    pub(super) fn float(&self) -> Option<f64> {
        match self {
            Value::Float(value) => Some(*value),
            // Rounds above 2^53, as Python's own conversion does.
            _ => self.integer().map(|value| value as f64),
        }
    }

    fn kind(&self) -> &'static str {
        match self {
            Value::None => "None",
            Value::Boolean(_) => "a boolean",
            Value::Integer(_) => "an integer",
            Value::Float(_) => "a number",
            Value::Text(_) => "a text",
            Value::Tuple(_) => "a tuple",
        }
    }
}

impl fmt::Display for Value {
    /// As Python's `print` shows it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Value::None => f.write_str("None"),
            Value::Boolean(true) => f.write_str("True"),
            Value::Boolean(false) => f.write_str("False"),
            Value::Integer(value) => write!(f, "{value}"),
            Value::Float(value) => write!(f, "{value:?}"),
            Value::Text(text) => f.write_str(text),
            Value::Tuple(members) => {
                let word = |member: &Value| match member {
                    Value::Text(text) => format!("'{text}'"),
                    other => other.to_string(),
                };
                let words: Vec<String> = members.iter().map(word).collect();
                write!(f, "({}{})", words.join(", "), if words.len() == 1 { "," } else { "" })
            }
        }
    }
}

pub(super) fn unary(operator: &str, operand: &Value) -> Result<Value, String> {
    let wrong = || format!("'{operator}' before {}", operand.kind());
    let large = || "a number of more than 128 bits".to_owned();
    match (operator, operand) {
        ("not", value) => Ok(Value::Boolean(!value.holds())),
        ("-", Value::Float(value)) => Ok(Value::Float(-value)),
        ("+", Value::Float(value)) => Ok(Value::Float(*value)),
        (_, value) => {
            let value = value.integer().ok_or_else(wrong)?;
            match operator {
                "-" => value.checked_neg().map(Value::Integer).ok_or_else(large),
                "+" => Ok(Value::Integer(value)),
                "~" => Ok(Value::Integer(!value)),
                _ => Err(wrong()),
            }
        }
    }
}

pub(super) fn binary(operator: &str, left: &Value, right: &Value) -> Result<Value, String> {
    match (operator, left, right) {
        ("%", Value::Text(text), value) => return format_text(text, value).map(Value::Text),
        ("+", Value::Text(left), Value::Text(right)) => {
            if left.len() + right.len() > LONGEST_TEXT {
                return Err(format!("a text of more than {LONGEST_TEXT} octets"));
            }
            return Ok(Value::Text(format!("{left}{right}")));
        }
        _ => {}
    }
    let wrong = || format!("'{operator}' between {} and {}", left.kind(), right.kind());
    if let (Some(left), Some(right), false) = (left.integer(), right.integer(), operator == "/") {
        return integers(operator, left, right)?.ok_or_else(wrong);
    }
    let (Some(left), Some(right)) = (left.float(), right.float()) else { return Err(wrong()) };
    if right == 0.0 && ["/", "//", "%"].contains(&operator) {
        return Err("a division by zero".to_owned());
    }
    Ok(Value::Float(match operator {
        "+" => left + right,
        "-" => left - right,
        "*" => left * right,
        "/" => left / right,
        "//" => (left / right).floor(),
        "%" => left - right * (left / right).floor(),
        "**" => left.powf(right),
        _ => return Err(wrong()),
    }))
}

/// None where integers have no such operator.
fn integers(operator: &str, left: i128, right: i128) -> Result<Option<Value>, String> {
    if right == 0 && ["//", "%"].contains(&operator) {
        return Err("a division by zero".to_owned());
    }
    let bits = || u32::try_from(right).ok();
    let value = match operator {
        "+" => left.checked_add(right),
        "-" => left.checked_sub(right),
        "*" => left.checked_mul(right),
        // Python rounds down, and the remainder has the divisor's sign.
        "//" => left.checked_div(right).map(|quotient| {
            let exact = left.wrapping_rem(right) == 0;
            if exact || (left < 0) == (right < 0) { quotient } else { quotient - 1 }
        }),
        "%" => left
            .checked_rem(right)
            .map(|rest| if rest == 0 || (rest < 0) == (right < 0) { rest } else { rest + right }),
        "**" if right < 0 => return Err("a negative power of an integer".to_owned()),
        "**" => bits().and_then(|power| left.checked_pow(power)),
        "|" => Some(left | right),
        "^" => Some(left ^ right),
        "&" => Some(left & right),
        "<<" | ">>" if right < 0 => return Err("a shift by a negative number".to_owned()),
        "<<" => bits().filter(|bits| *bits < 127).and_then(|bits| left.checked_mul(1_i128 << bits)),
        ">>" => Some(left >> right.min(127)),
        _ => return Ok(None),
    };
    value.map(|value| Some(Value::Integer(value))).ok_or_else(|| "a number of more than 128 bits".to_owned())
}

pub(super) fn compare(operator: &str, left: &Value, right: &Value) -> Result<bool, String> {
    let order = match (left, right) {
        (Value::Text(left), Value::Text(right)) => Some(left.cmp(right)),
        _ => match (left.integer(), right.integer()) {
            (Some(left), Some(right)) => Some(left.cmp(&right)),
            _ => match (left.float(), right.float()) {
                (Some(left), Some(right)) => left.partial_cmp(&right),
                _ if operator == "==" => return Ok(left == right),
                _ if operator == "!=" => return Ok(left != right),
                _ => return Err(format!("'{operator}' between {} and {}", left.kind(), right.kind())),
            },
        },
    };
    Ok(match operator {
        "==" => order == Some(Ordering::Equal),
        "!=" => order != Some(Ordering::Equal),
        "<" => order == Some(Ordering::Less),
        ">" => order == Some(Ordering::Greater),
        "<=" => matches!(order, Some(Ordering::Less | Ordering::Equal)),
        ">=" => matches!(order, Some(Ordering::Greater | Ordering::Equal)),
        other => return Err(format!("the comparison '{other}' is not known")),
    })
}

/// `abs`, `int`, `min`, `max`.
pub(super) fn call(function: &str, arguments: &[Value]) -> Result<Value, String> {
    let wrong = || {
        let kinds: Vec<&str> = arguments.iter().map(Value::kind).collect();
        format!("the function {function}({}) is not known", kinds.join(", "))
    };
    match (function, arguments) {
        ("abs", [Value::Float(value)]) => Ok(Value::Float(value.abs())),
        ("abs", [value]) => {
            let value = value.integer().ok_or_else(wrong)?;
            value.checked_abs().map(Value::Integer).ok_or_else(|| "a number of more than 128 bits".to_owned())
        }
        // Towards zero. What is no number, or too large, is refused rather than bent into one.
        ("int", [Value::Float(value)]) if value.abs() < 1e38 => Ok(Value::Integer(value.trunc() as i128)),
        ("int", [value]) => value.integer().map(Value::Integer).ok_or_else(wrong),
        ("min" | "max", [first, others @ ..]) if !others.is_empty() => {
            let operator = if function == "min" { "<" } else { ">" };
            let mut best = first;
            for other in others {
                if compare(operator, other, best)? {
                    best = other;
                }
            }
            Ok(best.clone())
        }
        _ => Err(wrong()),
    }
}
