//! `runner serve`.

use super::compare::Question;
use super::{Exit, Failure, output};
use crate::serve::{Site, Token, serve};
use crate::train::StopFlag;
use anyhow::Context as _;
use std::net::{IpAddr, SocketAddr, TcpListener};
use std::path::PathBuf;

/// Where a token may stand, besides a file.
const TOKEN: &str = "RUNNER_TOKEN";

#[derive(clap::Args, Debug)]
#[command(after_help = "\
The page is that of `runner compare --html`: it compares the runs in the folder, follows those that are being trained, \
and links to their files. Nothing is changed by it. Sweeps in the folder have pages of their own, linked from the first.

On this machine's own address no token is needed, but other users of the machine can see the page, too. On any other \
address a token is: from a file, or in the environment variable RUNNER_TOKEN. What is sent is not encrypted: across \
networks that are not your own, use `ssh -L 8765:localhost:8765 MACHINE` instead.

Examples:
  runner serve
  runner serve runs/20261123T120000Z-peak-lr-1a2b --target 0.9
  head -c 24 /dev/urandom | base64 > token
  runner serve --address 0.0.0.0 --token-file token

Ends with a signal (Ctrl-C), as exit code 0.")]
pub struct ServeArgs {
    /// The folder that holds the runs
    #[arg(default_value = "runs", value_name = "DIR")]
    folder: PathBuf,
    #[command(flatten)]
    question: Question,
    /// The address to be reached at; any but this machine's own asks for a token
    #[arg(long, value_name = "IP", default_value = "127.0.0.1")]
    address: IpAddr,
    /// The port; 0 takes one that is free
    #[arg(long, default_value_t = 8765)]
    port: u16,
    /// A file whose first line is the token that clients have to show
    #[arg(long, value_name = "FILE")]
    token_file: Option<PathBuf>,
}

/// Serves until a signal comes.
pub fn run(args: &ServeArgs) -> Result<Exit, Failure> {
    let options = args.question.options()?;
    let token = token(args)?;
    if token.is_none() && !args.address.is_loopback() {
        let message = format!(
            "{} is an address that others can reach: give a token with --token-file or in {TOKEN}, such as `head -c 24 /dev/urandom | base64` prints",
            args.address
        );
        return Err(Failure::Usage(message));
    }
    let stop = StopFlag::on_signals().map_err(|e| Failure::Other(e.into()))?;
    let listener = TcpListener::bind((args.address, args.port)).map_err(|cause| {
        let place = SocketAddr::new(args.address, args.port);
        Failure::Usage(format!(
            "cannot listen on {place}: {cause}; choose another --port (0 takes a free one) or --address"
        ))
    })?;
    let address = listener.local_addr().context("cannot tell the port")?;
    let asks = token.is_some();
    let site = Site::new(args.folder.clone(), options, address, token).map_err(|cause| {
        Failure::Usage(format!("cannot read the folder {}: {cause}; name one that holds runs", args.folder.display()))
    })?;
    if let Some(trouble) = site.trouble() {
        anstream::eprintln!("note: {trouble}");
    }
    let path = if asks { "/?token=TOKEN" } else { "/" };
    output::print(&format!("serving {} at http://{address}{path}\n", args.folder.display()))?;
    serve(listener, site, || stop.raised().is_some()).context("the server cannot run")?;
    Ok(Exit::Done)
}

fn token(args: &ServeArgs) -> Result<Option<Token>, Failure> {
    let token = match (&args.token_file, std::env::var(TOKEN)) {
        (Some(path), _) => Token::read(path),
        (None, Ok(text)) => Token::new(&text),
        (None, Err(std::env::VarError::NotPresent)) => return Ok(None),
        (None, Err(error)) => return Err(Failure::Usage(format!("{TOKEN}: {error}"))),
    };
    token.map(Some).map_err(|error| Failure::Usage(error.to_string()))
}
