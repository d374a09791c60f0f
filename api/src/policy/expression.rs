//! The language: from a rule's text to a tree of checks.

/// A rule, ready to be evaluated.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Expression {
    /// `@`, and a rule without text.
    Always,
    /// `!`, and whatever cannot be understood.
    Never,
    /// `rule:name`.
    Rule(String),
    /// `role:name`.
    Role(Pattern),
    /// `literal:pattern`.
    Literal(String, Pattern),
    /// `name:pattern` on the credentials.
    Credential(String, Pattern),
    Not(Box<Expression>),
    All(Vec<Expression>),
    Any(Vec<Expression>),
}

/// A text in which `%(name)s` stands for a value of the target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Pattern(pub(super) Vec<Piece>);

/// A part of a [`Pattern`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Piece {
    Text(String),
    Value(String),
}

/// Why a rule is refused instead of never matching.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum Refused {
    #[error("`{0}:` checks ask another server and are not supported")]
    Remote(String),
    #[error("it has more than {MAX_TOKENS} words and parentheses")]
    Long,
}

/// More than any sensible rule needs; keeps evaluation from using up the stack.
const MAX_TOKENS: usize = 500;

/// What parsing comes to: the rule, and whether its text could be understood.
pub(super) struct Parsed {
    pub(super) expression: Expression,
    pub(super) understood: bool,
}

/// Reads a rule's text.
pub(super) fn parse(text: &str) -> Result<Parsed, Refused> {
    if text.is_empty() {
        return Ok(Parsed { expression: Expression::Always, understood: true });
    }
    let mut stack = Vec::new();
    for token in tokens(text)? {
        stack.push(token);
        while reduce(&mut stack) {}
    }
    let whole = if stack.len() == 1 { stack.pop().and_then(Token::expression) } else { None };
    let understood = whole.is_some();
    Ok(Parsed { expression: whole.unwrap_or(Expression::Never), understood })
}

/// Reads one check, `kind:match`, `@` or `!`.
pub(super) fn check(text: &str) -> Result<Expression, Refused> {
    let (kind, rest) = match text {
        "@" => return Ok(Expression::Always),
        "!" => return Ok(Expression::Never),
        _ => match text.split_once(':') {
            Some(parts) => parts,
            None => return Ok(Expression::Never),
        },
    };
    if kind == "http" || kind == "https" {
        return Err(Refused::Remote(kind.to_owned()));
    }
    if kind == "rule" {
        return Ok(Expression::Rule(rest.to_owned()));
    }
    let Some(pattern) = Pattern::parse(rest) else { return Ok(Expression::Never) };
    Ok(match literal(kind) {
        _ if kind == "role" => Expression::Role(pattern),
        Some(literal) => Expression::Literal(literal, pattern),
        None => Expression::Credential(kind.to_owned(), pattern),
    })
}

/// A word or parenthesis, or what they were reduced to.
enum Token {
    Open,
    Close,
    And,
    Or,
    Not,
    /// A quoted word, which no rule may consist of.
    Quoted,
    Check(Expression),
    /// Checks joined by `and`, not in parentheses.
    AndChain(Vec<Expression>),
    /// Checks joined by `or`, not in parentheses.
    OrChain(Vec<Expression>),
}

impl Token {
    fn expression(self) -> Option<Expression> {
        match self {
            Self::Check(check) => Some(check),
            Self::AndChain(checks) => Some(Expression::All(checks)),
            Self::OrChain(checks) => Some(Expression::Any(checks)),
            _ => None,
        }
    }
}

/// Words are separated by white space; parentheses stand at the start and the end of words, `%(name)s` is inside.
fn tokens(text: &str) -> Result<Vec<Token>, Refused> {
    // Python's white space: Unicode's and four control characters.
    let space = |c: char| c.is_whitespace() || ('\x1c'..='\x1f').contains(&c);
    let mut tokens = Vec::new();
    for word in text.split(space).filter(|word| !word.is_empty()) {
        let inner = word.trim_start_matches('(');
        tokens.extend((inner.len()..word.len()).map(|_| Token::Open));
        let clean = inner.trim_end_matches(')');
        match clean.to_lowercase().as_str() {
            "" => {}
            "and" => tokens.push(Token::And),
            "or" => tokens.push(Token::Or),
            "not" => tokens.push(Token::Not),
            _ if is_quoted(inner) => tokens.push(Token::Quoted),
            _ => tokens.push(Token::Check(check(clean)?)),
        }
        tokens.extend((clean.len()..inner.len()).map(|_| Token::Close));
        if tokens.len() > MAX_TOKENS {
            return Err(Refused::Long);
        }
    }
    Ok(tokens)
}

fn is_quoted(word: &str) -> bool {
    word.len() >= 2 && ['"', '\''].iter().any(|quote| word.starts_with(*quote) && word.ends_with(*quote))
}

/// Joins the last tokens where they form something; says whether they did.
fn reduce(stack: &mut Vec<Token>) -> bool {
    use Token::{And, AndChain, Check, Close, Not, Open, Or, OrChain};
    let third = stack.pop();
    let second = stack.pop();
    let first = stack.pop();
    let joined = match (first, second, third) {
        (Some(Open), Some(inner @ (Check(_) | AndChain(_) | OrChain(_))), Some(Close)) => {
            // Always an expression: the pattern above admits nothing else.
            Check(inner.expression().unwrap_or(Expression::Never))
        }
        (Some(Check(one)), Some(And), Some(Check(two))) => AndChain(vec![one, two]),
        (Some(AndChain(mut checks)), Some(And), Some(Check(check))) => {
            checks.push(check);
            AndChain(checks)
        }
        // In `a or b and c` the `and` binds to the last check.
        (Some(OrChain(mut checks)), Some(And), Some(Check(check))) => {
            let last = match checks.pop() {
                Some(Expression::All(mut all)) => {
                    all.push(check);
                    Expression::All(all)
                }
                Some(one) => Expression::All(vec![one, check]),
                None => check,
            };
            checks.push(last);
            OrChain(checks)
        }
        (Some(Check(one)), Some(Or), Some(Check(two))) => OrChain(vec![one, two]),
        (Some(AndChain(all)), Some(Or), Some(Check(two))) => OrChain(vec![Expression::All(all), two]),
        (Some(OrChain(mut checks)), Some(Or), Some(Check(check))) => {
            checks.push(check);
            OrChain(checks)
        }
        (first, Some(Not), Some(Check(check))) => {
            stack.extend(first);
            Check(Expression::Not(Box::new(check)))
        }
        (first, second, third) => {
            stack.extend([first, second, third].into_iter().flatten());
            return false;
        }
    };
    stack.push(joined);
    true
}

impl Pattern {
    /// None where the text is no pattern: a lone `%`, or a conversion other than `%(name)s`.
    fn parse(text: &str) -> Option<Self> {
        let mut pieces = Vec::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once('%') {
            pieces.push(Piece::Text(before.to_owned()));
            if let Some(after) = after.strip_prefix('%') {
                pieces.push(Piece::Text("%".to_owned()));
                rest = after;
                continue;
            }
            let after = after.strip_prefix('(')?;
            let end = closing(after)?;
            pieces.push(Piece::Value(after[..end].to_owned()));
            rest = after[end..].strip_prefix(")s")?;
        }
        pieces.push(Piece::Text(rest.to_owned()));
        Some(Self(pieces))
    }
}

/// Where the parenthesis that is already open closes.
fn closing(text: &str) -> Option<usize> {
    let mut depth = 1;
    for (at, c) in text.char_indices() {
        match c {
            '(' => depth += 1,
            ')' if depth == 1 => return Some(at),
            ')' => depth -= 1,
            _ => {}
        }
    }
    None
}

/// The text of a Python literal: a quoted string without escapes, a truth value, `None` or a plain number.
fn literal(text: &str) -> Option<String> {
    if matches!(text, "True" | "False" | "None") {
        return Some(text.to_owned());
    }
    if is_quoted(text) {
        let inner = &text[1..text.len() - 1];
        return (!inner.contains(['\\', '\'', '"'])).then(|| inner.to_owned());
    }
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    let number = text.strip_prefix('-').unwrap_or(text);
    match number.split_once('.') {
        None if digits(number) && (number == "0" || !number.starts_with('0')) => Some(text.to_owned()),
        Some((whole, part)) if digits(whole) && digits(part) && number.len() <= 15 => {
            text.parse::<f64>().ok().map(|number| format!("{number:?}"))
        }
        _ => None,
    }
}
