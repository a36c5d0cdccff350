# names: services.agent-supervisor.services.web.command
# remedy: list of a program and its arguments such as [ "node" "dist/index.js" ]
{
  services.agent-supervisor = {
    enable = true;
    services.web.command = "node dist/index.js";
  };
}
