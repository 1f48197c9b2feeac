import { Agent, request as httpRequest } from 'node:http';
import { AwsSigner } from './aws_signer.js';
import type { LoadedRequest } from './aws_request.js';
import { quantile } from './statistics.js';

/** What the load generator is asked to do. */
export interface ClientOrder {
  readonly url: string;
  readonly credential: { readonly accessKeyId: string; readonly secretAccessKey: string };
  readonly request: LoadedRequest;
  /** Connections that are kept open, with one request in flight on each. */
  readonly connections: number;
  readonly seconds: number;
}

/** What it saw. */
export interface ClientResult {
  readonly requests: number;
  readonly perSecond: number;
  /** From sending to the whole answer, milliseconds. */
  readonly latencyMs: { readonly p50: number; readonly p99: number };
  /** Processor time of the client's process for one request, microseconds. */
  readonly clientCpuMicroseconds: number;
}

async function load(order: ClientOrder): Promise<ClientResult> {
  const { hostname, port, host } = new URL(order.url);
  const agent = new Agent({ keepAlive: true, maxSockets: order.connections, noDelay: true });
  const signer = new AwsSigner({ host, region: 'us-east-1', credential: order.credential });
  const { operation, body } = order.request;
  const latencies: number[] = [];
  const send = (): Promise<void> =>
    new Promise((resolve, reject) => {
      const startMs = performance.now();
      const options = { hostname, port, method: 'POST', agent, headers: signer.sign(operation, body) };
      const sent = httpRequest(options, (response) => {
        let text = '';
        response.on('data', (chunk: Buffer) => {
          if (response.statusCode !== 200) text += chunk.toString();
        });
        response.on('end', () => {
          if (response.statusCode !== 200) return reject(new Error(`${operation}: ${response.statusCode} ${text}`));
          latencies.push(performance.now() - startMs);
          resolve();
        });
        response.on('error', reject);
      });
      sent.on('error', reject);
      sent.end(body);
    });
  const cpu = process.cpuUsage();
  const startMs = performance.now();
  const endMs = startMs + order.seconds * 1000;
  const keepBusy = async (): Promise<void> => {
    while (performance.now() < endMs) await send();
  };
  await Promise.all(Array.from({ length: order.connections }, keepBusy));
  const seconds = (performance.now() - startMs) / 1000;
  const { user, system } = process.cpuUsage(cpu);
  agent.destroy();
  const sorted = Float64Array.from(latencies).sort();
  return {
    requests: sorted.length,
    perSecond: sorted.length / seconds,
    latencyMs: { p50: quantile(sorted, 0.5), p99: quantile(sorted, 0.99) },
    clientCpuMicroseconds: (user + system) / sorted.length,
  };
}

process.on('message', (order: ClientOrder) => {
  load(order).then(
    (result) => process.send?.({ result }),
    (error: unknown) => process.send?.({ error: String(error) }),
  );
});
process.once('disconnect', () => process.exit());
process.send?.('ready');
