//! The assertions between `%{` and `}%`: as much of Python as scripts use. A statement asserts, prints or names a value;
//! names that a script made last until its end.
//!
//! What is not known (a name, an operator, a statement) is an error that names it, and never true.

mod format;
mod parse;
mod token;
mod value;

use crate::ast::Code;
use crate::constant;
use parse::{Node, Statement};
use std::collections::BTreeMap;
pub use value::Value;

/// Octets that a text may grow to.
const LONGEST_TEXT: usize = 1 << 16;

/// Why code does not hold.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {message}")]
pub struct CodeError {
    /// Line in the script.
    pub line: u32,
    /// What is wrong: for an assertion its text, its own message, and the values of the names in it.
    pub message: String,
    /// Whether the code is right and its assertion is not.
    pub failure: Failure,
}

/// What kind of error it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// An assertion does not hold: the stack did something else.
    Assertion,
    /// The code cannot be read or computed: the script is wrong.
    Script,
}

/// Statements, read and not yet run.
#[derive(Clone, Debug, PartialEq)]
pub struct Program {
    statements: Vec<(u32, Statement)>,
}

impl Program {
    /// Reads the statements of a code block.
    ///
    /// # Errors
    /// What is not in the language, with [`Failure::Script`].
    pub fn parse(code: &Code) -> Result<Program, CodeError> {
        let statements = parse::statements(&code.text, code.line).map_err(|(line, message)| CodeError {
            line,
            message,
            failure: Failure::Script,
        })?;
        Ok(Program { statements })
    }

    /// Runs them. `info` gives the values of names such as `tcpi_snd_cwnd` at this moment. Returns what was printed, a line
    /// each.
    ///
    /// # Errors
    /// The first assertion that does not hold, or what cannot be computed.
    pub fn run(
        &self,
        names: &mut Names,
        info: &dyn Fn(&str) -> Option<i128>,
    ) -> Result<Vec<String>, CodeError> {
        let mut printed = Vec::new();
        for (line, statement) in &self.statements {
            let scope = Scope { names, info };
            let wrong = |message: String| CodeError { line: *line, message, failure: Failure::Script };
            match statement {
                Statement::Assert { condition, message, text } => {
                    if scope.value(condition).map_err(wrong)?.holds() {
                        continue;
                    }
                    let mut report = format!("assert {text} does not hold");
                    if let Some(message) = message {
                        report.push_str(&format!(": {}", scope.value(message).map_err(wrong)?));
                    }
                    let values = scope.values_of_names(condition);
                    if !values.is_empty() {
                        report.push_str(&format!(" ({})", values.join(", ")));
                    }
                    return Err(CodeError { line: *line, message: report, failure: Failure::Assertion });
                }
                Statement::Print(arguments) => {
                    let values: Result<Vec<_>, _> =
                        arguments.iter().map(|argument| scope.value(argument)).collect();
                    let words: Vec<String> = values.map_err(wrong)?.iter().map(Value::to_string).collect();
                    printed.push(words.join(" "));
                }
                Statement::Assign { name, value } => {
                    let value = scope.value(value).map_err(wrong)?;
                    names.assign(name, value).map_err(wrong)?;
                }
                Statement::Value(value) => {
                    scope.value(value).map_err(wrong)?;
                }
                Statement::Pass => {}
            }
        }
        Ok(printed)
    }
}

/// The names that a script has made.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Names {
    values: BTreeMap<String, Value>,
}

impl Names {
    /// As many names as a script may make.
    const MOST: usize = 1000;

    fn assign(&mut self, name: &str, value: Value) -> Result<(), String> {
        if self.values.len() >= Self::MOST && !self.values.contains_key(name) {
            return Err(format!("more than {} names", Self::MOST));
        }
        self.values.insert(name.to_owned(), value);
        Ok(())
    }
}

/// Where names are looked up.
struct Scope<'a> {
    names: &'a Names,
    info: &'a dyn Fn(&str) -> Option<i128>,
}

impl Scope<'_> {
    fn name(&self, name: &str) -> Result<Value, String> {
        // A script's own name comes first, as in Python.
        if let Some(value) = self.names.values.get(name) {
            return Ok(value.clone());
        }
        let number = (self.info)(name).or_else(|| constant::value(name).map(i128::from));
        number.map(Value::Integer).ok_or_else(|| format!("the name '{name}' is not known"))
    }

    fn value(&self, node: &Node) -> Result<Value, String> {
        match node {
            Node::Value(value) => Ok(value.clone()),
            Node::Name(name) => self.name(name),
            Node::Tuple(members) => {
                Ok(Value::Tuple(members.iter().map(|member| self.value(member)).collect::<Result<_, _>>()?))
            }
            Node::Unary(operator, operand) => value::unary(operator, &self.value(operand)?),
            Node::Binary(operator, left, right) => {
                value::binary(operator, &self.value(left)?, &self.value(right)?)
            }
            Node::And(left, right) => {
                let left = self.value(left)?;
                if left.holds() { self.value(right) } else { Ok(left) }
            }
            Node::Or(left, right) => {
                let left = self.value(left)?;
                if left.holds() { Ok(left) } else { self.value(right) }
            }
            // `a < b < c` is both comparisons, and c is not looked at if the first does not hold.
            Node::Compare(first, others) => {
                let mut left = self.value(first)?;
                for (operator, right) in others {
                    let right = self.value(right)?;
                    if !value::compare(operator, &left, &right)? {
                        return Ok(Value::Boolean(false));
                    }
                    left = right;
                }
                Ok(Value::Boolean(true))
            }
            Node::Call(function, arguments) => {
                let arguments: Vec<Value> =
                    arguments.iter().map(|argument| self.value(argument)).collect::<Result<_, _>>()?;
                value::call(function, &arguments)
            }
        }
    }

    /// `name = value` for each name in an expression, once.
    fn values_of_names(&self, node: &Node) -> Vec<String> {
        let mut names = Vec::new();
        node.names(&mut names);
        let mut found: Vec<String> = Vec::new();
        for name in names {
            if let Ok(value) = self.name(name) {
                let text = format!("{name} = {value}");
                if constant::value(name).is_none() && !found.contains(&text) {
                    found.push(text);
                }
            }
        }
        found
    }
}

#[cfg(test)]
mod tests;
