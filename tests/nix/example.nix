# The configuration of the files in units/: what every machine has, the user's own systemd, and the
# units that are off by default.
{
  services.agent-supervisor = {
    enable = true;
    uid = 990;
    linger = true;
    gateway.enable = true;
    nanoclaw.enable = true;
  };
}
