{ services.agent-supervisor.enable = true; }
