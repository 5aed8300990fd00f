import { createSignalingServer } from 'emberlink/server';

const server = createSignalingServer({
  port: 0,
  origins: ['https://app.example'],
  logLevel: 'warn',
});
const { url } = await server.listen(); // ws://localhost:…/

const health = await fetch(new URL('/health', url.replace('ws', 'http')));
console.log(health.status); // 200
console.log(server.stats().connections); // 0

await server.close(); // Tells clients to come back, and closes when they have left.
