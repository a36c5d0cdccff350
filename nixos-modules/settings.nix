# From options to the tables of the configuration file, and the secrets that they name.
{ cfg, lib }:

let
  inherit (lib) filterAttrs mapAttrs optionalAttrs;

  # What was not written is not in the file: the supervisor has the defaults.
  written =
    value:
    if lib.isAttrs value then
      filterAttrs (_: v: v != null && v != { } && v != [ ]) (mapAttrs (_: written) value)
    else if lib.isList value then
      map written value
    else
      value;

  handed = name: "/run/agent-supervisor-secrets/${name}/secret";

  unit =
    kind: name: unit:
    written (removeAttrs unit [ "environmentFile" ])
    // optionalAttrs (unit.environmentFile != null) { environment_file = handed "${kind}-${name}"; };
  secretsOf =
    kind: units:
    lib.mapAttrs' (name: unit: lib.nameValuePair "${kind}-${name}" unit.environmentFile) (
      filterAttrs (_: unit: unit.environmentFile != null) units
    );

  target =
    index: target:
    written (
      removeAttrs target [
        "tokenFile"
        "urlFile"
      ]
    )
    // optionalAttrs (target.tokenFile != null) { token_file = handed "notify-${toString index}"; }
    // optionalAttrs (target.urlFile != null) { url_file = handed "notify-url-${toString index}"; };
  tokens = lib.listToAttrs (
    lib.filter (secret: secret.value != null) (
      lib.concatLists (
        lib.imap0 (index: target: [
          (lib.nameValuePair "notify-${toString index}" target.tokenFile)
          (lib.nameValuePair "notify-url-${toString index}" target.urlFile)
        ]) cfg.notify.targets
      )
    )
  );

  pinged = if cfg.notify.heartbeat == null then null else cfg.notify.heartbeat.urlFile;

  typed = written {
    sessions = mapAttrs (unit "session") cfg.sessions;
    services = mapAttrs (unit "service") cfg.services;
    inherit (cfg) plan handoffs require;
    gateway = optionalAttrs cfg.gateway.enable {
      state_dir = "/var/lib/agent-gateway";
      nanoclaw = optionalAttrs cfg.nanoclaw.enable { inherit (cfg.nanoclaw) directory; };
    };
    notify = {
      targets = lib.imap0 target cfg.notify.targets;
      heartbeat =
        if cfg.notify.heartbeat == null then
          null
        else
          written (removeAttrs cfg.notify.heartbeat [ "urlFile" ])
          // optionalAttrs (pinged != null) { url_file = handed "notify-heartbeat"; };
    };
  };
in
{
  # What `settings` says of the same key is said last.
  toml = lib.recursiveUpdate typed (written cfg.settings);
  secrets =
    secretsOf "session" cfg.sessions
    // secretsOf "service" cfg.services
    // tokens
    // optionalAttrs (pinged != null) { notify-heartbeat = pinged; };
}
