//! As much of a shell's grammar as the commands of scripts use: words with quotes, redirections, and what joins commands.

use super::SetupError;

/// A simple command: its words, and the file that its output goes to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Simple {
    /// Line in the script.
    pub line: u32,
    pub words: Vec<String>,
    /// None where it goes to where the shell's own goes.
    pub output: Option<String>,
}

/// Commands with `|` between them.
pub(super) type Pipeline = Vec<Simple>;

/// A pipeline, and those that stand behind `||` to run instead.
pub(super) type Alternatives = Vec<Pipeline>;

#[derive(Debug, PartialEq, Eq)]
enum Token {
    Word(String),
    /// Behind it stands the file.
    Redirection {
        /// Whether it is the output proper, and not what goes to standard error alone.
        output: bool,
    },
    Pipe,
    Or,
    /// `;`, `&&` or a new line. After a failure scripts never go on to anything that could undo it.
    Then,
}

/// The commands of a text, in order, of which the first begins on `line`.
pub(super) fn commands(text: &str, line: u32) -> Result<Vec<Alternatives>, SetupError> {
    let mut commands = Vec::new();
    let mut alternatives: Alternatives = vec![vec![Simple::default()]];
    let mut tokens = tokens(text, line)?.into_iter().peekable();
    while let Some((line, token)) = tokens.next() {
        let error = |message: &str| SetupError { line, message: message.to_owned() };
        let empty =
            |alternatives: &Alternatives| current(alternatives).is_none_or(|simple| simple.words.is_empty());
        match token {
            Token::Word(word) => {
                if let Some(simple) = alternatives.last_mut().and_then(|pipeline| pipeline.last_mut()) {
                    if simple.words.is_empty() {
                        simple.line = line;
                    }
                    simple.words.push(word);
                }
            }
            Token::Redirection { output } => {
                let Some((_, Token::Word(file))) = tokens.next() else {
                    return Err(error("a redirection to nowhere"));
                };
                let simple = alternatives.last_mut().and_then(|pipeline| pipeline.last_mut());
                if let (true, Some(simple)) = (output, simple) {
                    simple.output = Some(file);
                } else if file != "/dev/null" && file != "&1" {
                    return Err(error(&format!("errors cannot be written to {file}")));
                }
            }
            Token::Pipe | Token::Or if empty(&alternatives) => {
                return Err(error("a command is missing before |"));
            }
            Token::Pipe => {
                if let Some(pipeline) = alternatives.last_mut() {
                    pipeline.push(Simple::default());
                }
            }
            Token::Or => alternatives.push(vec![Simple::default()]),
            Token::Then => {
                if !empty(&alternatives) {
                    commands.push(std::mem::replace(&mut alternatives, vec![vec![Simple::default()]]));
                } else if alternatives.len() > 1 || alternatives.first().is_some_and(|first| first.len() > 1)
                {
                    return Err(error("a command is missing behind |"));
                }
            }
        }
    }
    Ok(commands)
}

fn current(alternatives: &Alternatives) -> Option<&Simple> {
    alternatives.last()?.last()
}

/// The tokens and their lines; a [`Token::Then`] ends them.
fn tokens(text: &str, mut line: u32) -> Result<Vec<(u32, Token)>, SetupError> {
    let mut found = Vec::new();
    let mut word: Option<String> = None;
    let mut characters = text.chars().peekable();
    while let Some(c) = characters.next() {
        let error = move |message: &str| SetupError { line, message: message.to_owned() };
        match c {
            '\\' => match characters.next() {
                Some('\n') => {
                    // A word ends here: scripts leave out the blank before the backslash, and mean two words.
                    found.extend(word.take().map(|word| (line, Token::Word(word))));
                    line = line.saturating_add(1);
                }
                Some(other) => word.get_or_insert_default().push(other),
                None => return Err(error("a backslash ends this command")),
            },
            '\'' | '"' => {
                let word = word.get_or_insert_default();
                loop {
                    match characters.next() {
                        Some(end) if end == c => break,
                        Some('$') if c == '"' => return Err(error("variables stand for nothing here")),
                        Some('\n') => {
                            line = line.saturating_add(1);
                            word.push('\n');
                        }
                        Some(other) => word.push(other),
                        None => return Err(error("this quotation has no end")),
                    }
                }
            }
            '$' => {
                // The one variable that scripts use is in a file's name, where its value does not matter.
                let name: String = std::iter::once('$').chain(characters.by_ref().take(6)).collect();
                if name != "${PPID}" {
                    return Err(error("of variables only ${PPID} is known here"));
                }
                word.get_or_insert_default().push_str(&name);
            }
            '#' if word.is_none() => while characters.next_if(|c| *c != '\n').is_some() {},
            ' ' | '\t' | '\r' | '\n' | ';' | '|' | '&' | '>' => {
                // `2>` is a redirection of its own; in `a2>` the digit would be the word's.
                let of_errors = c == '>' && word.as_deref() == Some("2");
                if of_errors {
                    word = None;
                }
                found.extend(word.take().map(|word| (line, Token::Word(word))));
                match c {
                    '\n' => {
                        found.push((line, Token::Then));
                        line = line.saturating_add(1);
                    }
                    ';' => found.push((line, Token::Then)),
                    '|' if characters.next_if_eq(&'|').is_some() => found.push((line, Token::Or)),
                    '|' => found.push((line, Token::Pipe)),
                    '&' if characters.next_if_eq(&'&').is_some() => found.push((line, Token::Then)),
                    '&' if characters.next_if_eq(&'>').is_some() => {
                        found.push((line, Token::Redirection { output: true }));
                    }
                    '&' => return Err(error("nothing runs in the background here")),
                    '>' => {
                        characters.next_if_eq(&'>');
                        found.push((line, Token::Redirection { output: !of_errors }));
                        if characters.next_if_eq(&'&').is_some() {
                            word = Some("&".to_owned());
                        }
                    }
                    _ => {}
                }
            }
            '<' | '(' | ')' | '`' | '*' => return Err(error(&format!("'{c}' has no meaning here"))),
            other => word.get_or_insert_default().push(other),
        }
    }
    found.extend(word.take().map(|word| (line, Token::Word(word))));
    found.push((line, Token::Then));
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<Vec<String>> {
        let commands = commands(text, 1).unwrap_or_else(|error| panic!("{error}"));
        commands.into_iter().flatten().flatten().map(|simple| simple.words).collect()
    }

    #[test]
    fn words_and_quotes() {
        assert_eq!(words("a  b=\"c  d\"'e'\\f # g\n"), [["a", "b=c  def"]]);
        assert_eq!(words("a\\\n  b\\\nc"), [["a", "b", "c"]]);
        assert_eq!(words("/tmp/x_${PPID}.sh"), [["/tmp/x_${PPID}.sh"]]);
        assert_eq!(words("a; b && c\n\n;d"), [["a"], ["b"], ["c"], ["d"]]);
    }

    #[test]
    fn alternatives_pipes_and_files() {
        let found = commands("a &> /dev/null ||\\\n b 2>&1\nc | d > f", 5).expect("commands");
        assert_eq!(found.len(), 2);
        assert_eq!(found[0].iter().map(|pipeline| pipeline[0].line).collect::<Vec<_>>(), [5, 6]);
        assert_eq!(found[1][0][1].output.as_deref(), Some("f"));
        assert_eq!(found[1][0][0].line, 7);
    }

    #[test]
    fn what_a_shell_would_do_more_is_refused() {
        for text in [
            "a $X", "a `b`", "(a)", "a < b", "a &", "a 2> b", "\"a", "a |", "| a", "a ||", "a >", "a \\",
            "*", "\"$X\"",
        ] {
            assert!(commands(text, 1).is_err(), "{text}");
        }
    }
}
