// A stand-in channel for a real NanoClaw: what people write comes as files into inbox/, what agents
// say goes into sent.log. Copied to src/channels/ by `prepare`.
import fs from 'fs';
import path from 'path';
import { registerChannel } from './registry.js';

registerChannel('standin', (opts) => ({
  name: 'standin',
  async connect() {
    fs.mkdirSync('inbox', { recursive: true });
    setInterval(() => {
      for (const name of fs.readdirSync('inbox').filter((it) => it.endsWith('.json')).sort()) {
        const file = path.join('inbox', name);
        const message = JSON.parse(fs.readFileSync(file, 'utf-8'));
        opts.onChatMetadata(message.chat_jid, message.timestamp, message.chat_jid, 'standin', true);
        opts.onMessage(message.chat_jid, message);
        fs.unlinkSync(file);
      }
    }, 100);
  },
  async sendMessage(jid: string, text: string) {
    fs.appendFileSync('sent.log', JSON.stringify({ jid, text }) + '\n');
  },
  isConnected: () => true,
  ownsJid: () => true,
  async disconnect() {},
}));
