# names: services.agent-supervisor.notify.targets
# remedy: outside the Nix store ("/run/secrets/x"; what is in the store can be read by everyone)
{
  services.agent-supervisor = {
    enable = true;
    notify.targets = [
      {
        kind = "ntfy";
        url = "https://ntfy.example.org/agents";
        tokenFile = "/nix/store/00000000000000000000000000000000-token";
      }
    ];
  };
}
