# Types that catch at evaluation what the supervisor would refuse, with words a person understands.
{ lib }:

let
  inherit (lib) types;

  described = description: type: type // { inherit description; };
in
rec {
  /**
    What the supervisor reads as a length of time.
  */
  duration = described ''duration such as "200ms", "30s", "5m" or "1h30m"'' (
    types.addCheck (types.strMatching "([0-9]+d)?([0-9]+h)?([0-9]+m)?([0-9]+s)?([0-9]+ms)?") (
      text: text != ""
    )
  );

  /**
    A number of bytes.
  */
  size = described ''size such as "512K", "64MiB" or "2G", or a number of bytes'' (
    types.either types.ints.positive (types.strMatching "[0-9]+([KMGT](iB)?)?")
  );

  /**
    A path on the machine as it runs. A Nix path literal would be copied into the store, which
    everyone can read.
  */
  place =
    described ''absolute path outside the Nix store, as a text in quotes ("/srv/x", not /srv/x)''
      (
        types.addCheck (types.pathWith {
          inStore = false;
          absolute = true;
        }) builtins.isString
      );

  /**
    A secret: only ever by file, and never one in the store.
  */
  secretFile = described ''absolute path of a file with a secret, as a text in quotes and outside the Nix store ("/run/secrets/x"; what is in the store can be read by everyone)'' place;

  /**
    Folders whose files the supervisor only reads may be in the store: prompts, plans.
  */
  readable = described "absolute path" types.path;

  /**
    `IP:PORT`, the port one that exists.
  */
  listenAddress =
    described ''address such as "127.0.0.1:9876" or "[::1]:9876", its port at most 65535''
      (
        types.addCheck (types.strMatching "(\\[[0-9a-fA-F:.]+]|[0-9.]+):[0-9]{1,5}") (
          text: portOf text <= 65535
        )
      );

  /**
    The port of a `listenAddress`.
  */
  portOf = text: lib.toIntBase10 (lib.last (lib.splitString ":" text));

  /**
    Whether a `listenAddress` is heard by this machine alone.
  */
  isLoopback = text: lib.hasPrefix "127." text || lib.hasPrefix "[::1]" text;

  /**
    Names of systemd services that the supervisor may command.
  */
  serviceUnit = described ''name of a systemd service such as "postgresql.service"'' (
    types.strMatching "[a-zA-Z0-9:_.@-]+[.]service"
  );

  /**
    A program and its arguments.
  */
  command = described ''list of a program and its arguments such as [ "node" "dist/index.js" ]; no shell reads it'' (
    types.nonEmptyListOf types.str
  );
}
