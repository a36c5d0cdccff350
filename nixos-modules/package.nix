# The binary, with completions and manual pages that it writes itself. No wrapper is around it: the
# daemon becomes what /proc/self/exe of its caller names, and a wrapper would be left behind. What it
# calls (tmux, git) is on the PATH of the unit; by hand it is the caller's.
{
  lib,
  stdenv,
  buildPackages,
  rustPlatform,
  installShellFiles,
}:

let
  manifest = (lib.importTOML ../Cargo.toml).package;
  # The machine that builds runs it to write pages and completions.
  runs = stdenv.buildPlatform.canExecute stdenv.hostPlatform;
  self = if runs then "$out/bin/supervisor" else lib.getExe buildPackages.agent-supervisor;
in
rustPlatform.buildRustPackage {
  pname = manifest.name;
  inherit (manifest) version;

  src = lib.fileset.toSource {
    root = ../.;
    fileset = lib.fileset.unions [
      ../Cargo.toml
      ../Cargo.lock
      ../src
      ../tests
    ];
  };
  cargoLock.lockFile = ../Cargo.lock;

  nativeBuildInputs = [ installShellFiles ];

  # The rooms that are pure. What needs a terminal, a bus or a cgroup is tested by `tests/run`, on a
  # machine that has them: a sandbox must not decide whether a host can be rebuilt.
  cargoTestFlags = [ "--lib" ];
  checkFlags = [
    "agents::"
    "config::"
    "decide::"
  ];
  checkType = "debug";

  postInstall = ''
    installShellCompletion --cmd supervisor \
      --bash <(${self} completions bash) \
      --fish <(${self} completions fish) \
      --zsh <(${self} completions zsh)
    ${self} man pages
    installManPage pages/*.1
  '';

  meta = {
    inherit (manifest) description;
    license = lib.licenses.mit;
    platforms = [
      "x86_64-linux"
      "aarch64-linux"
    ];
    mainProgram = "supervisor";
  };
}
