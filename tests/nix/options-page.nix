# nixos-modules/OPTIONS.md, from the options themselves.
{ lib }:

let
  evaluated = lib.evalModules {
    modules = [
      (import ./base.nix { inherit lib; })
      ../../nixos-modules
    ];
  };
  prefix = "services.agent-supervisor.";
  options = lib.filter (
    option: option.visible && !option.internal && lib.hasPrefix prefix option.name
  ) (lib.optionAttrSetToDocList evaluated.options);

  text = value: value.text or (lib.generators.toPretty { } value);
  # A literal that has lines of its own is a block of its own.
  code =
    title: value:
    let
      lines = lib.removeSuffix "\n" value;
    in
    if lib.hasInfix "\n" lines then
      "\n${title}:\n\n```nix\n${lines}\n```\n"
    else
      "\n${title}: `${lines}`\n";
  entry =
    option:
    lib.concatStrings [
      "\n### `${lib.removePrefix prefix option.name}`\n\n"
      (lib.removeSuffix "\n" option.description)
      "\n\nType: ${option.type}\n"
      (lib.optionalString (option ? default) (code "Default" (text option.default)))
      (lib.optionalString (option ? example) (code "Example" (text option.example)))
    ];
in
''
  # Options of the NixOS module

  All of them are below `services.agent-supervisor`. This page is made from the module:
  `tests/nix/evaluate --update`.
''
+ lib.concatMapStrings entry options
