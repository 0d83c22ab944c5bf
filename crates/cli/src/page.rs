//! What is made from the definitions of the command line: completions and man pages.

use std::io::{Write, stdout};

use clap::CommandFactory;
use clap_complete::Shell;

use crate::command::Cli;
use crate::failure::{Code, Failure};

/// Prints the completions for a shell.
pub(crate) fn completions(shell: Shell) -> Result<(), Failure> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "sockeye", &mut script);
    print(&script)
}

/// Prints a man page: the program's, or that of one of its commands.
pub(crate) fn man(name: Option<&str>) -> Result<(), Failure> {
    let mut definitions = Cli::command();
    definitions.build();
    let definitions = match name {
        None => definitions,
        Some(name) => definitions
            .find_subcommand(name)
            .cloned()
            .ok_or_else(|| Failure::usage(format!("there is no command `{name}`")))?,
    };
    let mut roff = Vec::new();
    clap_mangen::Man::new(definitions)
        .render(&mut roff)
        .and_then(|()| write_codes(&mut roff))
        .map_err(|error| Failure::talking("cannot make the man page", &error))?;
    print(&roff)
}

/// The exit codes, as a section of the page.
fn write_codes(page: &mut Vec<u8>) -> std::io::Result<()> {
    writeln!(page, ".SH \"EXIT STATUS\"")?;
    for (code, meaning) in [
        (0, "all went well"),
        (1, "the network failed"),
        (2, "the command line makes no sense"),
        (3, "a script failed"),
        (6, "a host name is not known"),
        (7, "refused, or unreachable"),
        (8, "a port, an address or a device cannot be taken"),
        (28, "nothing came back in time"),
        (56, "the connection was reset"),
        (130, "interrupted by Ctrl-C"),
        (143, "ended by SIGTERM"),
    ] {
        writeln!(page, ".TP\n{code}\n{meaning}")?;
    }
    Ok(())
}

fn print(bytes: &[u8]) -> Result<(), Failure> {
    stdout().write_all(bytes).map_err(|error| Failure::new(Code::Network, format!("cannot write: {error}")))
}
