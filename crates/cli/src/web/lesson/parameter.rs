//! What can be chosen of a lesson: numbers, one of several words, yes or no; each with a default, none without bounds.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use crate::web::trouble::Trouble;

/// One thing that can be chosen.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Parameter {
    /// Its name in requests, and for translations.
    pub(super) name: &'static str,
    /// What it is, in English.
    pub(super) words: &'static str,
    /// What it can be.
    pub(super) kind: Kind,
}

/// What a parameter can be.
#[derive(Clone, Copy, Debug)]
pub(super) enum Kind {
    /// A whole number.
    Number { default: u32, least: u32, most: u32, unit: &'static str },
    /// One of these; the first is the default.
    Choice(&'static [&'static str]),
    /// Yes or no.
    Switch(bool),
}

/// What was chosen for one parameter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Chosen {
    Number(u32),
    Word(&'static str),
    Switch(bool),
}

impl Parameter {
    /// A whole number within bounds.
    pub(super) const fn number(
        name: &'static str,
        words: &'static str,
        default: u32,
        (least, most): (u32, u32),
        unit: &'static str,
    ) -> Parameter {
        Parameter { name, words, kind: Kind::Number { default, least, most, unit } }
    }

    /// One of several words, of which the first is the default.
    pub(super) const fn choice(
        name: &'static str,
        words: &'static str,
        of: &'static [&'static str],
    ) -> Parameter {
        Parameter { name, words, kind: Kind::Choice(of) }
    }

    /// Yes or no.
    pub(super) const fn switch(name: &'static str, words: &'static str, default: bool) -> Parameter {
        Parameter { name, words, kind: Kind::Switch(default) }
    }

    /// As `docs/web-api.md` describes it.
    pub(super) fn described(&self) -> Value {
        let Parameter { name, words, kind } = self;
        match kind {
            Kind::Number { default, least, most, unit } => json!({
                "name": name, "words": words, "kind": "number", "default": default, "min": least, "max": most, "unit": unit,
            }),
            Kind::Choice(of) => {
                json!({ "name": name, "words": words, "kind": "choice", "default": of.first(), "of": of })
            }
            Kind::Switch(default) => {
                json!({ "name": name, "words": words, "kind": "switch", "default": default })
            }
        }
    }

    fn default(&self) -> Chosen {
        match self.kind {
            Kind::Number { default, .. } => Chosen::Number(default),
            Kind::Choice(of) => Chosen::Word(of.first().copied().unwrap_or_default()),
            Kind::Switch(default) => Chosen::Switch(default),
        }
    }

    /// What a request gives for it.
    fn read(&self, value: &Value) -> Result<Chosen, Trouble> {
        let wrong = |expected: String| {
            Trouble::new(
                "bad-parameter",
                format!("{} cannot be {value}", self.name),
                format!("give {expected}"),
            )
            .with("parameter", self.name)
        };
        match self.kind {
            Kind::Number { least, most, .. } => {
                let number = value.as_u64().and_then(|number| u32::try_from(number).ok());
                number
                    .filter(|number| (least..=most).contains(number))
                    .map(Chosen::Number)
                    .ok_or_else(|| wrong(format!("a whole number from {least} to {most}")))
            }
            Kind::Choice(of) => of
                .iter()
                .copied()
                .find(|word| value.as_str() == Some(*word))
                .map(Chosen::Word)
                .ok_or_else(|| wrong(format!("one of {}", of.join(", ")))),
            Kind::Switch(_) => {
                value.as_bool().map(Chosen::Switch).ok_or_else(|| wrong("true or false".to_owned()))
            }
        }
    }
}

/// What was chosen for each parameter of a lesson.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Values(BTreeMap<&'static str, Chosen>);

impl Values {
    /// The defaults, but for what a request gives.
    ///
    /// # Errors
    /// A parameter that the lesson does not have, or a value that it cannot have.
    pub(super) fn read(parameters: &[Parameter], given: &Map<String, Value>) -> Result<Values, Trouble> {
        let mut values: BTreeMap<_, _> =
            parameters.iter().map(|parameter| (parameter.name, parameter.default())).collect();
        for (name, value) in given {
            let known = parameters.iter().find(|parameter| parameter.name == name).ok_or_else(|| {
                let names: Vec<_> = parameters.iter().map(|parameter| parameter.name).collect();
                Trouble::new(
                    "bad-parameter",
                    format!("the lesson has no parameter {name}"),
                    format!("it has {}", names.join(", ")),
                )
                .with("parameter", name.as_str())
            })?;
            values.insert(known.name, known.read(value)?);
        }
        Ok(Values(values))
    }

    /// A number; 0 where the lesson has no such parameter.
    pub(super) fn number(&self, name: &str) -> u32 {
        match self.0.get(name) {
            Some(Chosen::Number(number)) => *number,
            _ => 0,
        }
    }

    /// A word; none where the lesson has no such parameter.
    pub(super) fn word(&self, name: &str) -> &'static str {
        match self.0.get(name) {
            Some(Chosen::Word(word)) => word,
            _ => "",
        }
    }

    /// Yes or no; no where the lesson has no such parameter.
    pub(super) fn is_on(&self, name: &str) -> bool {
        self.0.get(name) == Some(&Chosen::Switch(true))
    }

    /// As a request gives them.
    pub(super) fn described(&self) -> Map<String, Value> {
        let value = |chosen: &Chosen| match *chosen {
            Chosen::Number(number) => Value::from(number),
            Chosen::Word(word) => Value::from(word),
            Chosen::Switch(on) => Value::from(on),
        };
        self.0.iter().map(|(name, chosen)| ((*name).to_owned(), value(chosen))).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PARAMETERS: &[Parameter] = &[
        Parameter::number("many", "how many", 3, (1, 9), ""),
        Parameter::choice("which", "which one", &["this", "that"]),
        Parameter::switch("on", "whether", true),
    ];

    fn read(given: Value) -> Result<Values, Trouble> {
        Values::read(PARAMETERS, given.as_object().unwrap())
    }

    #[test]
    fn what_is_not_given_is_the_default() {
        let values = read(json!({ "which": "that" })).unwrap();
        assert_eq!((values.number("many"), values.word("which"), values.is_on("on")), (3, "that", true));
        assert_eq!(read(Value::Object(values.described())).unwrap(), values);
    }

    #[test]
    fn what_cannot_be_is_refused_in_words() {
        for (given, words) in [
            (json!({ "many": 10 }), "many cannot be 10"),
            (json!({ "many": -1 }), "many cannot be -1"),
            (json!({ "which": "other" }), "which cannot be \"other\""),
            (json!({ "on": 1 }), "on cannot be 1"),
            (json!({ "none": 1 }), "the lesson has no parameter none"),
        ] {
            assert_eq!(read(given).unwrap_err().words, words);
        }
    }
}
