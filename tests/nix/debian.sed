# From the paths of NixOS to those of any other distribution, for the units in units/: the binary is
# /usr/local/bin/supervisor, the configuration /etc/agent-supervisor/config.toml.
s|/nix/store/[^/ ]*-agent-supervisor-[0-9.]*/bin/supervisor|/usr/local/bin/supervisor|g
s|/nix/store/[^/ ]*-agent-supervisor-config\.toml|/etc/agent-supervisor/config.toml|g
s|/nix/store/[^/ ]*-nodejs[^/ ]*/bin/node|/usr/bin/node|g
s|/run/current-system/sw/bin/supervisor|/usr/local/bin/supervisor|g
s|^Environment="PATH=.*"$|Environment="PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"|
/^Environment="LOCALE_ARCHIVE=/d
s|/run/current-system/sw/bin/|/usr/bin/|g
