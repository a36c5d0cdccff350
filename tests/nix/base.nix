# As much of NixOS as our module touches, so that the real module system of nixpkgs can evaluate it
# where nothing of nixpkgs but its `lib` is to be had: a few options, and packages that are names.
{ lib }:

let
  inherit (lib) mkOption types;

  # A package is a path in a store that does not exist.
  package =
    name: more:
    {
      type = "derivation";
      inherit name;
      pname = name;
      outPath = "/nix/store/${lib.concatStrings (lib.replicate 32 "0")}-${name}";
      drvPath = "/nix/store/${lib.concatStrings (lib.replicate 32 "0")}-${name}.drv";
      meta = { };
    }
    // more;

  # What `pkgs.formats.toml` takes.
  tomlValue =
    types.oneOf [
      types.bool
      types.int
      types.float
      types.str
      types.path
      (types.attrsOf tomlValue)
      (types.listOf tomlValue)
    ]
    // {
      description = "TOML value";
    };

  names = [
    "bashInteractive"
    "coreutils"
    "curl"
    "findutils"
    "gawk"
    "git"
    "gnugrep"
    "gnused"
    "gnutar"
    "gzip"
    "jq"
    "nodejs"
    "openssh"
    "procps"
    "tmux"
    "which"
  ];

  pkgs = lib.genAttrs names (name: package name { }) // {
    agent-supervisor = package "agent-supervisor-0.1.0" { };
    claude-code = package "claude-code" { meta.mainProgram = "claude"; };
    formats.toml = _: {
      type = types.attrsOf tomlValue;
      generate = name: value: package name { inherit value; };
    };
    writeShellScript = name: _: package name { };
    runCommand =
      name: _: _:
      package name { };
    buildEnv = { name, ... }: package name { };
    stdenv = {
      buildPlatform.canExecute = _: true;
      hostPlatform.system = "x86_64-linux";
    };
  };

  open =
    default:
    mkOption {
      type = types.anything;
      inherit default;
    };
  names' = mkOption {
    type = types.listOf types.str;
    default = [ ];
  };
  limit = mkOption {
    type = types.nullOr types.int;
    default = null;
  };
  yes = mkOption {
    type = types.bool;
    default = true;
  };
  no = mkOption {
    type = types.bool;
    default = false;
  };

  service.options = {
    description = mkOption { type = types.str; };
    documentation = names';
    wantedBy = names';
    before = names';
    after = names';
    wants = names';
    onFailure = names';
    restartTriggers = open [ ];
    startLimitIntervalSec = limit;
    startLimitBurst = limit;
    reloadIfChanged = no;
    restartIfChanged = yes;
    stopIfChanged = yes;
    unitConfig = mkOption {
      type = types.attrsOf types.anything;
      default = { };
    };
    environment = mkOption {
      type = types.attrsOf types.str;
      default = { };
    };
    serviceConfig = mkOption {
      type = types.attrsOf types.anything;
      default = { };
    };
  };
  # NixOS gives every service a PATH of its own, which ours have to overrule.
  service.config.environment.PATH = "${pkgs.coreutils}/bin";

  user.options = {
    uid = limit;
    group = mkOption {
      type = types.str;
      default = "";
    };
    home = mkOption {
      type = types.str;
      default = "/var/empty";
    };
    description = open "";
    createHome = no;
    isSystemUser = no;
    isNormalUser = no;
    useDefaultShell = no;
    linger = no;
    extraGroups = names';
    openssh = open { };
  };
in
{
  options = {
    assertions = open [ ];
    warnings = names';
    boot = open { };
    disko = open { };
    environment.etc = mkOption { type = types.attrsOf types.anything; };
    environment.systemPackages = mkOption { type = types.listOf types.package; };
    fileSystems = open { };
    swapDevices = open [ ];
    zramSwap = open { };
    networking = {
      hostName = open "";
      useDHCP = open true;
      useNetworkd = open false;
      firewall = {
        allowedTCPPorts = mkOption {
          type = types.listOf types.port;
          default = [ ];
        };
        trustedInterfaces = names';
      };
    };
    nix = open { };
    nixpkgs = open { };
    programs = open { };
    security.sudo = open { };
    security.polkit = {
      enable = no;
      extraConfig = mkOption {
        type = types.lines;
        default = "";
      };
    };
    services = {
      cloud-init = open { };
      openssh = open { };
      tailscale = open { };
      qemuGuest = open { };
    };
    system = open { };
    specialisation = open { };
    systemd.network = open { };
    systemd.tmpfiles = open { };
    systemd.services = mkOption { type = types.attrsOf (types.submodule service); };
    time = open { };
    users.mutableUsers = yes;
    users.users = mkOption {
      type = types.attrsOf (types.submodule user);
      default = { };
    };
    users.groups = mkOption {
      type = types.attrsOf types.anything;
      default = { };
    };
    virtualisation = open { };
  };
  config._module.args = { inherit pkgs; };
}
