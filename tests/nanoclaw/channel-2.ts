// A stand-in channel for a real NanoClaw 2: what agents say goes into sent.log. It also stands in for
// OneCLI, which gives containers their credentials, at ONECLI_URL. Copied to src/channels/ by
// `prepare`.
import fs from 'fs';
import http from 'http';
import type { ChannelAdapter, OutboundMessage } from './adapter.js';
import { registerChannelAdapter } from './channel-registry.js';

const CONFIG = { env: {}, caCertificate: '', caCertificateContainerPath: '/tmp/ca.pem' };

registerChannelAdapter('standin', {
  factory: (): ChannelAdapter => ({
    name: 'standin',
    channelType: 'standin',
    supportsThreads: false,
    async setup() {
      const answer = (_: http.IncomingMessage, to: http.ServerResponse) =>
        to.end(JSON.stringify(CONFIG));
      const { port } = new URL(process.env.ONECLI_URL as string);
      http.createServer(answer).listen(Number(port), '127.0.0.1');
    },
    async teardown() {},
    isConnected: () => true,
    async deliver(jid: string, _: string | null, message: OutboundMessage) {
      const text = (message.content as { text?: string }).text;
      fs.appendFileSync('sent.log', JSON.stringify({ jid, text }) + '\n');
      return undefined;
    },
  }),
});
