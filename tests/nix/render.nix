# Units and TOML as text: what NixOS writes, in our own words.
{ lib }:

let
  inherit (lib)
    concatStrings
    concatStringsSep
    mapAttrsToList
    optionalAttrs
    ;

  word =
    value:
    if value == true then
      "true"
    else if value == false then
      "false"
    else
      toString value;
  section =
    keys:
    concatStrings (
      mapAttrsToList (
        name: value: concatStrings (map (value: "${name}=${word value}\n") (lib.toList value))
      ) keys
    );
  names = lib.concatStringsSep " ";

  value =
    v:
    if lib.isAttrs v && !(v ? outPath) then
      "{ ${concatStringsSep ", " (mapAttrsToList (name: v: "${builtins.toJSON name} = ${value v}") v)} }"
    else if lib.isList v then
      "[ ${concatStringsSep ", " (map value v)} ]"
    else
      builtins.toJSON v;
in
{
  unit = unit: ''
    [Unit]
    ${section (
      unit.unitConfig
      // {
        Description = unit.description;
      }
      // optionalAttrs (unit.documentation != [ ]) { Documentation = names unit.documentation; }
      // optionalAttrs (unit.before != [ ]) { Before = names unit.before; }
      // optionalAttrs (unit.after != [ ]) { After = names unit.after; }
      // optionalAttrs (unit.wants != [ ]) { Wants = names unit.wants; }
      // optionalAttrs (unit.onFailure != [ ]) { OnFailure = names unit.onFailure; }
      // optionalAttrs (unit.restartTriggers != [ ]) {
        X-Restart-Triggers = concatStringsSep " " (map toString unit.restartTriggers);
      }
      // optionalAttrs (unit.startLimitIntervalSec != null) {
        StartLimitIntervalSec = unit.startLimitIntervalSec;
      }
      // optionalAttrs (unit.startLimitBurst != null) { StartLimitBurst = unit.startLimitBurst; }
    )}
    [Service]
    ${section { Environment = mapAttrsToList (n: v: builtins.toJSON "${n}=${v}") unit.environment; }}${
      if unit.reloadIfChanged then
        "X-ReloadIfChanged=true\n"
      else
        lib.optionalString (!unit.restartIfChanged) "X-RestartIfChanged=false\n"
    }${
      lib.optionalString (!unit.stopIfChanged) "X-StopIfChanged=false\n"
    }${section unit.serviceConfig}${
      lib.optionalString (unit.wantedBy != [ ]) "\n[Install]\nWantedBy=${names unit.wantedBy}\n"
    }'';

  # One line a key, so that a difference can be read.
  toml =
    settings:
    concatStrings (
      mapAttrsToList (
        table: v:
        if lib.isAttrs v then
          "[${table}]\n"
          + concatStrings (mapAttrsToList (name: v: "${builtins.toJSON name} = ${value v}\n") v)
          + "\n"
        else
          ""
      ) settings
      ++ mapAttrsToList (
        table: v:
        concatStrings (
          map (
            item:
            "[[${table}]]\n"
            + concatStrings (mapAttrsToList (name: v: "${builtins.toJSON name} = ${value v}\n") item)
            + "\n"
          ) v
        )
      ) (lib.filterAttrs (_: lib.isList) settings)
    );
}
