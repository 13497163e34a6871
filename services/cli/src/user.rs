//! Who sits at the terminal.

/// The user who called, also through sudo.
pub fn name() -> String {
    let name = |variable| std::env::var(variable).ok().filter(|name| !name.is_empty());
    name("SUDO_USER")
        .or_else(|| name("USER"))
        .unwrap_or_else(|| "command line".to_owned())
}
