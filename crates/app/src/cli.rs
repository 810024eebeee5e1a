//! The command line.

use std::{net::SocketAddr, path::PathBuf};

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::layout::Layout;

/// Amazon EKS that you run yourself.
#[derive(Debug, Parser)]
#[command(name = "eksile", version, about)]
pub(crate) struct Cli {
    /// Folder of the installation.
    #[arg(long, global = true, env = "EKSILE_DATA", default_value_os_t = Layout::default_root())]
    pub data: PathBuf,
    /// How facts are printed.
    #[arg(long, global = true, value_enum, default_value_t = Output::Text)]
    pub output: Output,
    #[command(subcommand)]
    pub command: Command,
}

/// How facts are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Output {
    /// For people.
    Text,
    /// For programs.
    Json,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Start everything; the line that begins with "eksile ready" says when all is serving.
    Up(UpArgs),
    /// Stop a running installation.
    Down,
    /// Remove a stopped installation with everything in it; the next `up` begins anew.
    Reset(ResetArgs),
    /// Print what a process has written; without a name, whose logs there are.
    Logs(LogsArgs),
    /// What runs, and how the service links are.
    Status,
    /// Print shell exports for the aws CLI and SDKs.
    Env,
    /// Start, then make a VPC, roles, a local cluster, a node and a pod through the public APIs.
    Quickstart(QuickstartArgs),
    /// The service link of an Outpost.
    #[command(subcommand)]
    Outpost(OutpostCommand),
    /// Run a program at a place of the fabric.
    Exec(ExecArgs),
    /// Make container images and store them in the Region's registry.
    #[command(subcommand)]
    Image(ImageCommand),
    /// What this host can do, what it lacks, and how to get it.
    Doctor,
    /// Started by `up`: first process of the world.
    #[command(hide = true)]
    Init,
    /// Started by `init`: builds the fabric's places and keeps the other processes running.
    #[command(hide = true)]
    World,
    /// Started by the world: the Region.
    #[command(hide = true)]
    Region,
    /// Started by the world: a site.
    #[command(hide = true)]
    Site {
        /// The Region's name for its Zones, or an Outpost's id.
        site: String,
    },
    /// A cluster's control plane. Started by its site; by hand it serves on loopback, for tests and measurements.
    ControlPlane {
        /// Configuration, JSON.
        #[arg(long)]
        config: PathBuf,
    },
    /// Started by an instance's user data: the kubelet.
    #[command(hide = true)]
    Node(Rest),
    /// Started by a site: first process of an instance.
    #[command(hide = true)]
    Instance(Rest),
    /// Inside an instance: prints what a URL answers.
    #[command(hide = true)]
    Fetch(Rest),
}

/// Arguments that the role itself reads.
#[derive(Debug, Args)]
pub(crate) struct Rest {
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    pub rest: Vec<String>,
}

#[derive(Debug, Args, Clone, Default)]
pub(crate) struct UpArgs {
    /// Where the AWS APIs listen [default: 127.0.0.1:4566].
    #[arg(long)]
    pub listen: Option<SocketAddr>,
    /// The Region whose Zones are hosted here [default: us-west-2].
    #[arg(long)]
    pub region: Option<String>,
    /// The account of the Outposts and of the user `admin` [default: 111122223333].
    #[arg(long)]
    pub account: Option<String>,
    /// Another access key: KEY:SECRET, or KEY:SECRET:ACCOUNT; it belongs to that account's user `admin`. It is taken off
    /// the list of processes at once, but the shell's history keeps it: see --credential-file.
    #[arg(long = "credential", value_name = "KEY:SECRET[:ACCOUNT]")]
    pub credentials: Vec<String>,
    /// A file of access keys, one a line as above; `-` is standard input.
    #[arg(long = "credential-file", value_name = "FILE")]
    pub credential_files: Vec<PathBuf>,
    /// Return once all is serving, and keep running.
    #[arg(long)]
    pub detach: bool,
}

#[derive(Debug, Args)]
pub(crate) struct ResetArgs {
    /// Do not ask.
    #[arg(long)]
    pub yes: bool,
}

#[derive(Debug, Args)]
pub(crate) struct LogsArgs {
    /// `eksile` (all that run in no instance; or one of them, such as `region` or `control-plane my-cluster`), an
    /// instance's id (its console), or INSTANCE/NAME, such as `i-0123456789abcdef0/kubelet`.
    pub process: Option<String>,
    /// Go on as the log grows.
    #[arg(short, long, requires = "process")]
    pub follow: bool,
}

#[derive(Debug, Args, Clone)]
pub(crate) struct QuickstartArgs {
    #[command(flatten)]
    pub up: UpArgs,
    /// The cluster's name.
    #[arg(long, default_value = "my-cluster")]
    pub name: String,
    /// The aws CLI.
    #[arg(long, env = "EKSILE_AWS", default_value = "aws")]
    pub aws: PathBuf,
    /// kubectl.
    #[arg(long, env = "EKSILE_KUBECTL", default_value = "kubectl")]
    pub kubectl: PathBuf,
}

#[derive(Debug, Subcommand)]
pub(crate) enum OutpostCommand {
    /// Drop every packet of the service link.
    Disconnect(OutpostArg),
    /// Let packets through again.
    Reconnect(OutpostArg),
    /// Whether the link is cut, and where its namespace is.
    Status(OutpostArg),
}

#[derive(Debug, Args)]
pub(crate) struct OutpostArg {
    /// The Outpost's id; may be left out while there is one only.
    pub outpost: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct ExecArgs {
    /// `internet`, `onprem`, or an instance's id.
    #[arg(long)]
    pub from: String,
    /// The program and its arguments.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, required = true)]
    pub command: Vec<String>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum ImageCommand {
    /// Make an image of one layer out of files of this machine, and push it.
    Push(PushArgs),
}

#[derive(Debug, Args)]
pub(crate) struct PushArgs {
    /// Where to: REGISTRY/REPOSITORY:TAG, as the registry's `proxyEndpoint` names it.
    pub reference: String,
    /// A file of this machine and its place in the image: SOURCE:DESTINATION.
    #[arg(long = "file", value_name = "SOURCE:DESTINATION", required = true)]
    pub files: Vec<String>,
    /// A symbolic link in the image: PATH=TARGET.
    #[arg(long = "link", value_name = "PATH=TARGET")]
    pub links: Vec<String>,
    /// Entry point, one word each.
    #[arg(long)]
    pub entrypoint: Vec<String>,
    /// File holding the password of the user `AWS` (`aws ecr get-login-password`); `-` is standard input.
    #[arg(long)]
    pub password_file: PathBuf,
}
