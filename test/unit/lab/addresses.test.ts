import { createServer } from 'node:http';
import { expect } from 'chai';
import { ConfigError } from '../../../src/errors.js';
import { claimAddresses } from '../../../src/lab/addresses.js';
import { parseLabFile } from '../../../src/lab/lab_file.js';
import { closeServer, listenOn } from '../../../src/listen.js';
import { rejection } from '../../support/failure.js';

const anywhere = { host: '127.0.0.1', port: 0 };

const lab = parseLabFile(
  JSON.stringify({
    endpoint: '127.0.0.1:0',
    proxy: { listen: '127.0.0.1:0' },
    regions: { 'us-east-1': { listen: '127.0.0.1:0' }, 'eu-west-1': { listen: '127.0.0.1:0' } },
  }),
  'lab.yaml',
);

describe('the addresses of a lab', () => {
  it('are ports that no system gives away by itself, each for one program', async () => {
    const { endpoint, proxy, regions } = await claimAddresses(lab);
    const ports = [endpoint, proxy, ...Object.values(regions)].map(({ port }) => port);
    expect(new Set(ports).size).to.equal(4);
    for (const port of ports) expect(port).to.be.within(10_000, 32_767);
  });

  it('are those of other ports where another program has the first', async () => {
    const other = createServer();
    const { port } = await listenOn(other, anywhere);
    const free = (await claimAddresses(lab)).endpoint.port;
    const chosen = [port, free, port, free, free + 1, free + 2, free + 3, free + 4];
    const { endpoint, proxy } = await claimAddresses(lab, () => chosen.shift() ?? 0);
    expect(endpoint.port).to.equal(free);
    expect(proxy.port).to.be.above(free);
    await closeServer(other, 10);
  });

  it('are refused where no port is free', async () => {
    const other = createServer();
    const { port } = await listenOn(other, anywhere);
    const refused = await rejection(
      ConfigError,
      claimAddresses(lab, () => port),
    );
    expect(refused.code).to.equal('ERR_CONFIG_PORT_BUSY');
    expect(refused.details).to.deep.include({ address: `127.0.0.1:${port}` });
    await closeServer(other, 10);
  });
});
