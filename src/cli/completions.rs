//! `runner completions`.

use super::{Cli, Exit, Failure, output};
use clap::CommandFactory;
use clap_complete::Shell;
use std::path::Path;

#[derive(clap::Args, Debug)]
#[command(after_help = "\
Examples, each for the shells that start from then on:
  bash        runner completions bash > ~/.local/share/bash-completion/completions/runner
  zsh         runner completions zsh > ~/.zfunc/_runner
              with `fpath+=~/.zfunc` before `autoload -Uz compinit && compinit` in ~/.zshrc
  fish        runner completions fish > ~/.config/fish/completions/runner.fish
  powershell  runner completions powershell >> $PROFILE
  elvish      runner completions elvish >> ~/.config/elvish/rc.elv

bash, in the running shell alone:
  source <(runner completions bash)")]
pub struct CompletionsArgs {
    /// The shell that the script is for
    shell: Shell,
}

/// Writes the script to standard output.
pub fn run(args: &CompletionsArgs) -> Result<Exit, Failure> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "runner", &mut script);
    output::write(Path::new("-"), |out| out.write_all(&script))?;
    Ok(Exit::Done)
}
