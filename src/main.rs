//! The binary `recant`.

use std::process::ExitCode;

use clap::Parser;
use recant::{Error, cli::Cli, commands, printer::Printer};

fn main() -> ExitCode {
    sleep_when_idle();
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(wanted) if !wanted.use_stderr() => wanted.exit(), // help or version
        Err(misused) => return misuse(&misused.to_string()),
    };
    match commands::dispatch(cli) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            Printer::default().error(&error);
            ExitCode::from(match error {
                Error::Input { .. } => 2,
                Error::Interrupted => 130, // as a shell reports a program that Ctrl-C ended
                _ => 1,
            })
        }
    }
}

/// What the argument parser found wrong, in one line.
fn misuse(text: &str) -> ExitCode {
    let wrong = text.split("\n\n").next().unwrap_or_default().trim_start_matches("error: ");
    let hint = "`recant --help` and `recant VERB --help` list what can be typed";
    Printer::default().error(&Error::input("usage", wrong).hint(hint));
    ExitCode::from(2)
}

/// Starts the program anew with OpenMP threads that sleep while they wait, unless the user has chosen otherwise.
///
/// By default they spin, which on a machine with other work makes a pass up to ten times slower
/// (docs/performance.md); the OpenMP runtime reads the setting before `main`, so it cannot be changed later.
#[cfg(unix)]
fn sleep_when_idle() {
    use std::os::unix::process::CommandExt;
    const SETTING: &str = "OMP_WAIT_POLICY";
    if std::env::var_os(SETTING).is_none()
        && let Ok(program) = std::env::current_exe()
    {
        let mut arguments = std::env::args_os();
        let name = arguments.next().unwrap_or_else(|| program.clone().into());
        // Returns only if the program cannot be started; then this one goes on, slower.
        let _ =
            std::process::Command::new(&program).arg0(name).args(arguments).env(SETTING, "passive").exec();
    }
}

#[cfg(not(unix))]
fn sleep_when_idle() {}
