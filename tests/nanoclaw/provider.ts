// The agent within the runner of a real NanoClaw 2: it notes what it hears in heard.log, takes a moment
// over each message, one after the other, and keeps a transcript as Claude does. A message with
// [[die]] ends the runner at once, one with [[mute]] is never answered, one with [[slow]] takes six
// seconds, one with [[error]] is answered by an error. Copied to src/providers/ by `prepare`.
import fs from 'fs';
import { registerProvider } from './provider-registry.js';
import type { AgentProvider, ProviderEvent, QueryInput } from './types.js';

const TRANSCRIPT = '/home/node/.claude/projects/-workspace-agent/standin.jsonl';

function note(record: object): void {
  fs.mkdirSync(TRANSCRIPT.slice(0, TRANSCRIPT.lastIndexOf('/')), { recursive: true });
  fs.appendFileSync(TRANSCRIPT, JSON.stringify(record) + '\n');
}

class StandIn implements AgentProvider {
  readonly supportsNativeSlashCommands = false;

  isSessionInvalid(): boolean {
    return false;
  }

  query(input: QueryInput) {
    const pending = [input.prompt];
    let wake = () => {};
    let over = false;
    async function* events(): AsyncGenerator<ProviderEvent> {
      yield { type: 'init', continuation: 'standin' };
      while (!over) {
        const prompt = pending.shift();
        if (prompt === undefined) {
          await new Promise<void>((resolve) => (wake = resolve));
          continue;
        }
        fs.appendFileSync('/workspace/agent/heard.log', JSON.stringify({ text: prompt }) + '\n');
        note({ type: 'user', message: { role: 'user', content: prompt } });
        if (prompt.includes('[[die]]')) process.exit(1);
        if (prompt.includes('[[mute]]')) await new Promise(() => {});
        if (prompt.includes('[[error]]')) throw new Error('the stand-in was told to fail');
        const wait = prompt.includes('[[slow]]') ? 6000 : 300;
        await new Promise((resolve) => setTimeout(resolve, wait));
        const content = [{ type: 'text', text: 'done' }];
        const message = { role: 'assistant', content, stop_reason: 'end_turn' };
        note({ type: 'assistant', message });
        yield { type: 'result', text: '<internal>done</internal>' };
      }
    }
    const push = (message: string) => {
      note({ type: 'queue-operation', operation: 'enqueue', content: message });
      pending.push(message);
      wake();
    };
    const end = () => {
      over = true;
      wake();
    };
    return { push, end, abort: end, events: events() };
  }
}

registerProvider('standin', () => new StandIn());
