import { createConnection, type Socket } from 'node:net';

const TPM_ST_NO_SESSIONS = 0x8001;
const TPM_CC_FLUSH_CONTEXT = 0x165;
const TPM_CC_GET_CAPABILITY = 0x17a;
const TPM_CAP_HANDLES = 1;
/** First handles of what a program can leave behind: objects, and sessions in the TPM and outside. */
const RANGES = [0x8000_0000, 0x0200_0000, 0x0300_0000] as const;
const HANDLES_MAX = 64;
const HEADER_BYTES = 10;

/**
 * Takes away what ended programs have left in a TPM: one in software has room for three objects, and on real machines the system's
 * resource manager keeps it free. No program may be using the TPM.
 *
 * @param tpm - socket where the TPM takes commands
 * @source TCG TPM 2.0 Library, Part 3, sections 28.4 (TPM2_FlushContext) and 30.2 (TPM2_GetCapability)
 */
export async function flushTpm(tpm: string): Promise<void> {
  const connection = createConnection(tpm);
  connection.on('error', () => connection.destroy());
  try {
    for (const first of RANGES) {
      const found = await command(connection, TPM_CC_GET_CAPABILITY, [TPM_CAP_HANDLES, first, HANDLES_MAX]);
      // Response code, whether there are more, the capability, and how many handles follow.
      if (found.readUInt32BE(6) !== 0) continue;
      const count = found.readUInt32BE(HEADER_BYTES + 5);
      for (let at = 0; at < count; at++) {
        const handle = found.readUInt32BE(HEADER_BYTES + 9 + 4 * at);
        await command(connection, TPM_CC_FLUSH_CONTEXT, [handle]);
      }
    }
  } finally {
    connection.destroy();
  }
}

/** Sends one command without sessions, and waits for the whole response. */
function command(connection: Socket, code: number, parameters: readonly number[]): Promise<Buffer> {
  const octets = Buffer.alloc(HEADER_BYTES + 4 * parameters.length);
  octets.writeUInt16BE(TPM_ST_NO_SESSIONS, 0);
  octets.writeUInt32BE(octets.length, 2);
  octets.writeUInt32BE(code, 6);
  for (const [at, parameter] of parameters.entries()) octets.writeUInt32BE(parameter, HEADER_BYTES + 4 * at);
  return new Promise((resolve, reject) => {
    let received = Buffer.alloc(0);
    const onData = (data: Buffer): void => {
      received = Buffer.concat([received, data]);
      if (received.length < HEADER_BYTES || received.length < received.readUInt32BE(2)) return;
      settle();
      resolve(received);
    };
    const onClose = (): void => {
      settle();
      reject(new Error('the TPM closed the connection'));
    };
    const settle = (): void => {
      connection.off('data', onData);
      connection.off('close', onClose);
    };
    connection.on('data', onData);
    connection.on('close', onClose);
    connection.write(octets);
  });
}
