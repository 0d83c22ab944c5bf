//! Tokens of code to statements and expressions, with Python's precedence.

use super::token::{Kind, Token, tokens};
use super::value::Value;

/// Operators and operands that one expression may have: an expression is a tree walked by recursion.
const MOST_NODES: usize = 500;

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Statement {
    Assert {
        condition: Node,
        message: Option<Node>,
        /// The condition as written.
        text: String,
    },
    Print(Vec<Node>),
    Assign {
        name: String,
        value: Node,
    },
    Value(Node),
    Pass,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Node {
    Value(Value),
    Name(String),
    Tuple(Vec<Node>),
    Unary(&'static str, Box<Node>),
    Binary(&'static str, Box<Node>, Box<Node>),
    And(Box<Node>, Box<Node>),
    Or(Box<Node>, Box<Node>),
    Compare(Box<Node>, Vec<(&'static str, Node)>),
    Call(String, Vec<Node>),
}

impl Node {
    /// The names in it, in order.
    pub fn names<'a>(&'a self, found: &mut Vec<&'a str>) {
        match self {
            Node::Value(_) => {}
            Node::Name(name) => found.push(name),
            Node::Tuple(members) | Node::Call(_, members) => {
                members.iter().for_each(|member| member.names(found))
            }
            Node::Unary(_, operand) => operand.names(found),
            Node::Binary(_, left, right) | Node::And(left, right) | Node::Or(left, right) => {
                left.names(found);
                right.names(found);
            }
            Node::Compare(first, others) => {
                first.names(found);
                others.iter().for_each(|(_, other)| other.names(found));
            }
        }
    }
}

/// Words that begin what is not in this language, or join its expressions: no names.
const RESERVED: &[&str] = &[
    "and", "or", "not", "in", "is", "if", "else", "elif", "for", "while", "def", "class", "return", "import",
    "from", "lambda", "try", "except", "finally", "raise", "with", "del", "global", "yield", "async",
    "await", "assert", "pass", "print",
];

/// Binary operators that bind less tightly than those in the next row.
const LEVELS: &[&[&str]] = &[&["|"], &["^"], &["&"], &["<<", ">>"], &["+", "-"], &["*", "/", "//", "%"]];

const COMPARISONS: &[&str] = &["==", "!=", "<=", ">=", "<", ">"];

/// An error is a line and a message.
type Parsed<T> = Result<T, (u32, String)>;

/// The statements of `text`, which begins on `line`, each with its own line.
pub(super) fn statements(text: &str, line: u32) -> Parsed<Vec<(u32, Statement)>> {
    let tokens = tokens(text, line)?;
    let mut parser = Parser { text, tokens: &tokens, place: 0, nodes: 0 };
    let mut statements = Vec::new();
    while parser.place < tokens.len() {
        if *parser.peek() == Kind::End {
            parser.place += 1;
            continue;
        }
        let line = parser.line();
        parser.nodes = 0;
        statements.push((line, parser.statement()?));
        if *parser.peek() != Kind::End {
            return Err(parser.unexpected("the end of the statement"));
        }
    }
    Ok(statements)
}

struct Parser<'a> {
    text: &'a str,
    tokens: &'a [Token],
    place: usize,
    nodes: usize,
}

impl Parser<'_> {
    fn token(&self, ahead: usize) -> Option<&Token> {
        self.tokens.get(self.place + ahead).or(self.tokens.last())
    }

    fn peek(&self) -> &Kind {
        self.token(0).map_or(&Kind::End, |token| &token.kind)
    }

    fn line(&self) -> u32 {
        self.token(0).map_or(0, |token| token.line)
    }

    fn unexpected(&self, what: &str) -> (u32, String) {
        let found = match self.token(0).filter(|token| token.kind != Kind::End) {
            Some(token) => format!("'{}'", &self.text[token.place.clone()]),
            None => "the end".to_owned(),
        };
        (self.line(), format!("expected {what}, found {found}"))
    }

    /// Passes over one of `marks`.
    fn accept(&mut self, marks: &[&str]) -> Option<&'static str> {
        let Kind::Mark(mark) = *self.peek() else { return None };
        if !marks.contains(&mark) {
            return None;
        }
        self.place += 1;
        Some(mark)
    }

    fn word(&mut self, word: &str) -> bool {
        let found = matches!(self.peek(), Kind::Name(name) if name == word);
        self.place += usize::from(found);
        found
    }

    /// Counts a node, of which there may not be too many.
    fn node(&mut self) -> Parsed<()> {
        self.nodes += 1;
        if self.nodes > MOST_NODES {
            return Err((self.line(), format!("an expression of more than {MOST_NODES} parts")));
        }
        Ok(())
    }

    fn statement(&mut self) -> Parsed<Statement> {
        if self.word("pass") {
            return Ok(Statement::Pass);
        }
        if self.word("assert") {
            let start = self.token(0).map_or(0, |token| token.place.start);
            let condition = self.expression()?;
            let end = self.tokens.get(self.place.wrapping_sub(1)).map_or(start, |token| token.place.end);
            let message = self.accept(&[","]).map(|_| self.expression()).transpose()?;
            let text = self.text.get(start..end).unwrap_or_default().to_owned();
            if matches!(&condition, Node::Tuple(members) if !members.is_empty()) {
                return Err((self.line(), format!("assert {text} always holds: it is a tuple")));
            }
            return Ok(Statement::Assert { condition, message, text });
        }
        if self.word("print") {
            return Ok(Statement::Print(self.arguments()?));
        }
        if let (Kind::Name(name), Some(Kind::Mark(mark))) =
            (self.peek().clone(), self.token(1).map(|token| &token.kind))
        {
            let operator = match *mark {
                "=" => Some(""),
                mark if !COMPARISONS.contains(&mark) => mark.strip_suffix('='),
                _ => None,
            };
            if let Some(operator) = operator {
                self.reserved(&name)?;
                self.place += 2;
                let mut value = self.expression()?;
                if !operator.is_empty() {
                    value = Node::Binary(operator, Box::new(Node::Name(name.clone())), Box::new(value));
                }
                return Ok(Statement::Assign { name, value });
            }
        }
        Ok(Statement::Value(self.expression()?))
    }

    fn reserved(&self, name: &str) -> Parsed<()> {
        if RESERVED.contains(&name) { Err(self.unexpected("a name or a value")) } else { Ok(()) }
    }

    /// `or` binds least.
    fn expression(&mut self) -> Parsed<Node> {
        let mut left = self.conjunction()?;
        while self.word("or") {
            self.node()?;
            left = Node::Or(Box::new(left), Box::new(self.conjunction()?));
        }
        if matches!(self.peek(), Kind::Name(name) if ["in", "is", "if"].contains(&name.as_str())) {
            return Err(self.unexpected("an operator of this language"));
        }
        Ok(left)
    }

    fn conjunction(&mut self) -> Parsed<Node> {
        let mut left = self.negation()?;
        while self.word("and") {
            self.node()?;
            left = Node::And(Box::new(left), Box::new(self.negation()?));
        }
        Ok(left)
    }

    fn negation(&mut self) -> Parsed<Node> {
        if self.word("not") {
            self.node()?;
            return Ok(Node::Unary("not", Box::new(self.negation()?)));
        }
        let first = self.binary(0)?;
        let mut others = Vec::new();
        while let Some(operator) = self.accept(COMPARISONS) {
            self.node()?;
            others.push((operator, self.binary(0)?));
        }
        Ok(if others.is_empty() { first } else { Node::Compare(Box::new(first), others) })
    }

    fn binary(&mut self, level: usize) -> Parsed<Node> {
        let Some(operators) = LEVELS.get(level) else { return self.unary() };
        let mut left = self.binary(level + 1)?;
        while let Some(operator) = self.accept(operators) {
            self.node()?;
            left = Node::Binary(operator, Box::new(left), Box::new(self.binary(level + 1)?));
        }
        Ok(left)
    }

    fn unary(&mut self) -> Parsed<Node> {
        self.node()?;
        if let Some(operator) = self.accept(&["-", "+", "~"]) {
            return Ok(Node::Unary(operator, Box::new(self.unary()?)));
        }
        let base = self.primary()?;
        // Binds more tightly than a sign before it, and less than one behind it: -2**-1 is -(2**(-1)).
        if self.accept(&["**"]).is_some() {
            return Ok(Node::Binary("**", Box::new(base), Box::new(self.unary()?)));
        }
        Ok(base)
    }

    fn primary(&mut self) -> Parsed<Node> {
        match self.peek().clone() {
            Kind::Value(Value::Text(mut text)) => {
                self.place += 1;
                while let Kind::Value(Value::Text(more)) = self.peek() {
                    text.push_str(more);
                    self.place += 1;
                }
                Ok(Node::Value(Value::Text(text)))
            }
            Kind::Value(value) => {
                self.place += 1;
                Ok(Node::Value(value))
            }
            Kind::Name(name) => {
                self.reserved(&name)?;
                self.place += 1;
                if *self.peek() == Kind::Mark("(") {
                    return Ok(Node::Call(name, self.arguments()?));
                }
                Ok(Node::Name(name))
            }
            Kind::Mark("(") => self.parenthesised(),
            _ => Err(self.unexpected("a name or a value")),
        }
    }

    /// An expression in parentheses, or a tuple: `(a, b)`, `(a,)`, `()`.
    fn parenthesised(&mut self) -> Parsed<Node> {
        let (members, comma) = self.members()?;
        Ok(match members.as_slice() {
            [member] if !comma => member.clone(),
            _ => Node::Tuple(members),
        })
    }

    /// `(a, b)` behind a function's name.
    fn arguments(&mut self) -> Parsed<Vec<Node>> {
        self.members().map(|(members, _)| members)
    }

    /// What stands between parentheses, and whether a comma is the last of it.
    fn members(&mut self) -> Parsed<(Vec<Node>, bool)> {
        if self.accept(&["("]).is_none() {
            return Err(self.unexpected("'('"));
        }
        // Deep brackets recurse through every level above: each counts for as many parts.
        self.nodes += LEVELS.len();
        self.node()?;
        let mut members = Vec::new();
        let mut comma = false;
        while self.accept(&[")"]).is_none() {
            if !members.is_empty() && !comma {
                return Err(self.unexpected("',' or ')'"));
            }
            members.push(self.expression()?);
            comma = self.accept(&[","]).is_some();
        }
        Ok((members, comma))
    }
}
