//! Each mistake and the very line that tells it.
use super::*;
const SHELL: &str = "[sessions.sh]\nagent = 'command'\ncommand = ['sh']\n";
#[test]
fn dump() {
    for (text) in CASES { println!("{text}\n  => {}", parse(text).map(|_|"OK".to_string()).unwrap_or_else(|e|e.to_string()).replace("\n","\n     ")); }
}
const CASES: &[&str] = &[
"[a\n", "x = 'y\n", "[services.web]\n[services.db]\n[services.web]\n", "[supervisor]\nlog_max = 64MiB\n", "[supervisor]\nlog_keep = 3\nlog_keep = 4\n", "hello\n", "a = \"\\q\"",
"[service.web]\n", "[services.web]\ncomand = ['x']\n", "[services.web]\nzzz = 1\n", "[services.web]\ncommand = 'node index.js'\n", "[services.web]\ncommand = ['sleep', 5]\n",
"[services.web]\nagent = 'claude'\n", "[sessions.web]\nready = { log = 'x' }\n", "[services.web]\nrestart = { cap = { restarts = 1 } }\n",
"[services.web]\nstop_grace = 10\n", "[services.web]\nready = ['x', '60s']\n", "services = 5\n", "[[plan]]\nadvance = 'auto'\n","[handoffs]\nto = 'x'\n", "[services.web]\nenvironment = { PASSWORD = 12345 }\n", "[services.web]\nmemory_max = -1\n","[services.web]\nmemory_max = 1.5\n",
"[supervisor]\nlog_keep = -1\n","[supervisor]\nlog_keep = '3'\n","[supervisor]\ncommit_reboots = 'yes'\n","[supervisor]\nstate_dir = 5\n","[supervisor.state_dir]\nx = 5\n",
"[sessions.a]\nagent = 'cluade'\n","[sessions.a]\nagent = 'emacs'\n","[sessions.a]\nagent = 5\n","[sessions.a]\nagent = { claude = 1 }\n","[sessions.a]\nrole = 'boss'\n","[sessions.a]\nidle_nudge = 'on'\n","[sessions.a]\nidle_nudge = { afer = '5m' }\n","[sessions.a]\nidle_nudge = { after = 5 }\n","[sessions.a]\nidle_nudge = true\n","[sessions.a]\nremote_control = 5\n","[sessions.a]\non_exit = 'ignore'\n",
"[restart]\ncrash_loop = { retry = 'nevr' }\n","[restart]\ncrash_loop = { retry = 30 }\n","[restart]\nbackoff = '1s'\n","[restart]\nbackoff = { form = '1s' }\n","[restart]\nbackoff = { from = '10m', to = '1s' }\n",
"[gateway.groups.ryan]\nfoldr = 'x'\n","[gateway]\ngroups = ['ryan']\n","[notify]\ntargets = [ { kind = 'ntfi' } ]\n","[notify]\ntargets = [ { url = 'x' } ]\n","[notify]\ntargets = [ { kind = 'ntfy', url = 'secret' }, { kind = 'command', url = 'x' } ]\n", "[notify]\ntargets = { kind = 'ntfy' }\n", "[plan]\nphases = ['a', 'b']\n",
"[services.docker]\ncommand = ['x']\n", "[services.\"Node App\"]\ncommand = ['x']\n", "[services.web]\n", "[services.web]\ncommand = ['x']\nsystemd_unit = 'x.service'\n","[services.web]\ncommand = []\n","[services.web]\nsystemd_unit = 'x'\nready = { log = 'x' }\nmemory_max = '1G'\n",
"[sessions.a]\nagent = 'command'\n","[sessions.a]\n","[sessions.a]\nagent = 'command'\ncommand = ['a']\nargs = ['x']\nresume = 'x'\n",
"[services.a]\ncommand = ['a']\nafter = ['dokcer']\n","[services.a]\ncommand = ['a']\nafter = ['b']\n[services.b]\ncommand = ['b']\nafter = ['c', 'network']\n[sessions.c]\nagent='claude'\nafter=['a']\n","[services.a]\ncommand = ['a']\nafter = ['a']\n",
"[services.a]\ncommand = ['a']\n[sessions.a]\nagent = 'claude'\n",
"[services.a]\ncommand = ['a']\nenvironment = { 'A=B' = 'x', '' = 'y', OK = \"\\u0000\" }\n","[services.a]\ncommand = ['a']\nready = { within = '0s' }\n",
"[[handoffs]]\nrepo = '/r'\n","[[handoffs]]\nrepo = '/r'\nfile = 'F'\npattern = 'X'\ntext = 't'\nto = 'web'\n[services.web]\ncommand = ['x']\n","[plan]\nstops = ['x']\nowners = { 'STATUS.md' = 'bilder' }\n[sessions.builder]\nagent='claude'\n",
"[[require]]\n","[[require]]\ntcp = 'localhost'\n","[gateway]\nlisten = ['localhost:9876']\n[gateway.relay]\nroutes = ['a>b']\n","[supervisor]\nstate_dir = '~/x'\nruntime_dir = ''\n","[supervisor]\nruntime_dir = '/tmp/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa'\n",
"[services.a]\ncommand = 'a'\nstop_grace = 5\nxyz = 1\nafter = [1, 2]\n[[handoffs]]\ntoo = 'x'\n[[handoffs]]\nto = 5\n",
];
