//! What a service is, by what it says. A name is only given for an answer that nothing else would give.

mod packets;

use std::borrow::Cow;

use packets::packet;

/// What was recognised.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Match<'a> {
    /// Its name.
    pub(super) name: &'static str,
    /// The software, as it calls itself.
    pub(super) product: Option<Cow<'a, [u8]>>,
    /// Whether what it said is for people to read.
    pub(super) is_text: bool,
}

/// Protocols in lines of text: how the first answer starts, what must stand in it as well, in lower case, and
/// after what, counted from the left, the software is named.
const LINES: [(&str, &[u8], &[u8], After); 28] = [
    ("ssh", b"SSH-", b"-", After::SecondHyphen),
    ("vnc", b"RFB 0", b".", After::Nothing),
    ("smtp", b"220", b"smtp", After::Word(b"SMTP ")),
    ("smtp", b"554", b"smtp", After::Word(b"SMTP ")),
    ("smtp", b"421", b"smtp", After::Word(b"SMTP ")),
    ("lmtp", b"220", b"lmtp", After::Word(b"LMTP ")),
    ("ftp", b"220", b"ftp", After::Code),
    ("ftp", b"220", b"filezilla", After::Code),
    ("ftp", b"421", b"ftp", After::Code),
    ("nntp", b"200", b"nntp", After::Code),
    ("nntp", b"201", b"nntp", After::Code),
    ("nntp", b"200", b"netnews", After::Code),
    ("pop3", b"+OK", b"", After::Word(b"+OK ")),
    ("imap", b"* OK", b"", After::Greeting),
    ("imap", b"* PREAUTH", b"", After::Greeting),
    ("imap", b"* BYE", b"imap", After::Greeting),
    ("redis", b"+PONG\r\n", b"", After::Nothing),
    ("redis", b"-NOAUTH ", b"", After::Nothing),
    ("redis", b"-DENIED Redis", b"", After::Nothing),
    (
        "redis",
        b"-ERR wrong number of arguments for 'get'",
        b"",
        After::Nothing,
    ),
    ("memcached", b"VERSION ", b".", After::Word(b"VERSION ")),
    ("rsync", b"@RSYNCD: ", b"", After::Nothing),
    ("nats", b"INFO {", b"\"server_id\"", After::Nothing),
    (
        "sieve",
        b"\"IMPLEMENTATION\" ",
        b"",
        After::Word(b"\"IMPLEMENTATION\" "),
    ),
    ("zabbix-agent", b"ZBXD\x01", b"", After::Nothing),
    ("svn", b"( success ( 2 2 ", b"", After::Nothing),
    ("irc", b":", b" notice ", After::Nothing),
    ("sip", b"SIP/2.0 ", b"", After::Nothing),
];

/// Where in a first line the software is named.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum After {
    Nothing,
    /// `SSH-2.0-OpenSSH_9.2p1`
    SecondHyphen,
    /// After this word: `220 mx.example.org ESMTP Postfix`.
    Word(&'static [u8]),
    /// After the three digits: `220 (vsFTPd 3.0.3)`.
    Code,
    /// After the capabilities: `* OK [CAPABILITY …] Dovecot ready.`
    Greeting,
}

/// Recognises what was said first, or in answer to whatever was sent.
pub(super) fn recognise(said: &[u8]) -> Option<Match<'_>> {
    line(said).or_else(|| packet(said))
}

fn line(said: &[u8]) -> Option<Match<'_>> {
    let lower = said.to_ascii_lowercase();
    let is_it = |(_, start, holds, _): &&(&str, &[u8], &[u8], After)| {
        said.starts_with(start) && contains(&lower, holds)
    };
    let &(name, _, _, after) = LINES.iter().find(is_it)?;
    let first = said.split(|&byte| byte == b'\n').next().unwrap_or(said);
    let product = product(first, after).map(<[u8]>::trim_ascii);
    let product = product.filter(|product| !product.is_empty());
    Some(Match {
        name,
        product: product.map(Cow::Borrowed),
        is_text: true,
    })
}

fn product(line: &[u8], after: After) -> Option<&[u8]> {
    match after {
        After::Nothing => None,
        After::SecondHyphen => line.splitn(3, |&byte| byte == b'-').nth(2),
        After::Word(word) => find(line, word).map(|at| &line[at + word.len()..]),
        After::Code => {
            let rest = line.get(4..)?.trim_ascii();
            let inner = rest
                .strip_prefix(b"(")
                .and_then(|rest| rest.strip_suffix(b")"));
            Some(inner.unwrap_or(rest))
        }
        After::Greeting => match line.iter().position(|&byte| byte == b']') {
            Some(end) => Some(&line[end + 1..]),
            None => line.splitn(3, |&byte| byte == b' ').nth(2),
        },
    }
}

fn contains(text: &[u8], wanted: &[u8]) -> bool {
    wanted.is_empty() || find(text, wanted).is_some()
}

fn find(text: &[u8], wanted: &[u8]) -> Option<usize> {
    text.windows(wanted.len())
        .position(|window| window == wanted)
}

/// What a service is called inside TLS.
pub(super) fn secured(name: &'static str) -> &'static str {
    match name {
        "http" => "https",
        "imap" => "imaps",
        "pop3" => "pop3s",
        "smtp" => "smtps",
        "ftp" => "ftps",
        "ldap" => "ldaps",
        "amqp" => "amqps",
        "mqtt" => "mqtts",
        "irc" => "ircs",
        "sip" => "sips",
        other => other,
    }
}

#[cfg(test)]
mod tests;
