import type { JSX } from 'preact';
import { useState } from 'preact/hooks';
import { callAws, Refusal } from '../api.js';
import { useAttempt } from '../attempt.js';
import { CliCommand } from '../components/cli_command.js';
import { Dialog } from '../components/dialog.js';
import { DialogFailure } from '../components/dialog_failure.js';
import { Radios, SelectField } from '../components/form.js';
import { Time } from '../components/time.js';
import { tell } from '../components/toasts.js';
import { archiveEntries, archiveName, wrappingCommands } from '../import_archive.js';
import { WRAPPING_KEY_SPECS, wrappingChoices } from '../key_specs.js';
import type { KeyMetadata } from '../kms.js';
import { regionNowMs } from '../lab.js';
import { saveFile } from '../octets.js';
import { zipArchive } from '../zip.js';

interface Answered {
  readonly KeyId: string;
  readonly PublicKey: string;
  readonly ImportToken: string;
  readonly ParametersValidTo: number;
}

/** What was downloaded, without the parameters themselves. */
interface Downloaded {
  readonly file: string;
  readonly validTo: number;
}

/**
 * Asks for a wrapping key and its import token, and gives them to the browser as one archive.
 *
 * @param props.onUpload - called where somebody goes on to the upload
 */
export function ImportParametersDialog(props: {
  readonly region: string;
  readonly keyMetadata: KeyMetadata;
  readonly onUpload: () => void;
  readonly onClose: () => void;
}): JSX.Element {
  const { region, keyMetadata, onUpload, onClose } = props;
  const { KeyId, KeySpec } = keyMetadata;
  const [wrappingKeySpec, setWrappingKeySpec] = useState('RSA_4096');
  const [wanted, setWanted] = useState('RSAES_OAEP_SHA_256');
  const { isBusy, failure, attempt } = useAttempt();
  const [downloaded, setDownloaded] = useState<Downloaded | undefined>(undefined);
  const choices = wrappingChoices(KeySpec, wrappingKeySpec);
  const admitted = choices.filter(({ refusal }) => refusal === undefined).map(({ value }) => value);
  const algorithm = admitted.includes(wanted) ? wanted : (admitted[0] ?? '');
  const input = { KeyId, WrappingAlgorithm: algorithm, WrappingKeySpec: wrappingKeySpec };
  const call = { region, operation: 'GetParametersForImport', input };

  const download = (): void => {
    attempt(async () => {
      const answer = await callAws<Answered>(call);
      const file = archiveName(KeyId, regionNowMs(region));
      const entries = archiveEntries({
        keyArn: answer.KeyId,
        keySpec: KeySpec,
        wrappingKeySpec,
        wrappingAlgorithm: algorithm,
        publicKey: answer.PublicKey,
        importToken: answer.ImportToken,
        validTo: answer.ParametersValidTo,
      });
      saveFile(file, zipArchive(entries, regionNowMs(region)), 'application/zip');
      setDownloaded({ file, validTo: answer.ParametersValidTo });
      tell({ kind: 'done', title: 'Downloaded the wrapping key and the import token', detail: file });
    });
  };
  if (downloaded !== undefined) {
    return (
      <Dialog title="Wrap the key material" confirm="Upload key material" onConfirm={onUpload} onClose={onClose} isWide>
        <p>
          <code>{downloaded.file}</code> is valid until <Time seconds={downloaded.validTo} region={region} />, for one
          import. Unpack it, and wrap the material where it is, with an HSM or with OpenSSL:
        </p>
        <pre class="document" tabIndex={0} aria-label="Commands that wrap the material">
          <code>{wrappingCommands(algorithm).join('\n')}</code>
        </pre>
      </Dialog>
    );
  }
  return (
    <Dialog
      title="Download wrapping key and import token"
      confirm="Download wrapping key and import token"
      onConfirm={download}
      onClose={onClose}
      isBusy={isBusy}
    >
      <SelectField
        label="Wrapping key spec"
        isRequired
        value={wrappingKeySpec}
        onInput={setWrappingKeySpec}
        choices={WRAPPING_KEY_SPECS}
      />
      <Radios label="Wrapping algorithm" value={algorithm} onInput={setWanted} choices={choices} />
      <DialogFailure what="There is nothing to download" failure={failure}>
        {failure instanceof Refusal && failure.code === 'UnsupportedOperationException' && (
          <p class="hint">Choose another algorithm: the Region’s token decides under which it unwraps.</p>
        )}
      </DialogFailure>
      <CliCommand calls={[call]} />
    </Dialog>
  );
}
