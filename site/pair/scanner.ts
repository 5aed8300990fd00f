import { element } from '../shared/element.ts';
import { codeReader, drawn } from './read-code.ts';

/** How often the camera's picture is looked at. */
const LOOK_EVERY_MS = 120;

/** Why the camera cannot be used, and what else can be done. */
export class CameraRefusal extends Error {
  override readonly name = 'CameraRefusal';
}

/**
 * Shows the camera until it sees a QR code.
 * @returns its text, or undefined when the person stops it
 * @throws CameraRefusal in plain words
 */
export async function scanWithCamera(): Promise<string | undefined> {
  const stream = await openCamera();
  const dialog = element('camera', HTMLDialogElement);
  const video = element('camera-picture', HTMLVideoElement);
  try {
    video.srcObject = stream;
    element('camera-stop').onclick = () => dialog.close();
    dialog.showModal();
    const [read] = await Promise.all([codeReader(false), video.play()]);
    const canvas = document.createElement('canvas');
    while (dialog.open) {
      const { videoWidth, videoHeight } = video;
      const text =
        videoWidth === 0 ? undefined : await read(drawn(video, videoWidth, videoHeight, canvas));
      if (text !== undefined) return text;
      await new Promise((resolve) => setTimeout(resolve, LOOK_EVERY_MS));
    }
    return undefined;
  } finally {
    for (const track of stream.getTracks()) track.stop();
    video.srcObject = null;
    dialog.close();
  }
}

/**
 * Reads a QR code from a picture that the person took or chose.
 * @throws CameraRefusal in plain words
 */
export async function readPicture(file: Blob): Promise<string> {
  const picture = await createImageBitmap(file).catch(() => {
    throw new CameraRefusal(
      'This file is no picture. Take a photo of the code, or paste the text.',
    );
  });
  const read = await codeReader(true);
  const text = await read(drawn(picture, picture.width, picture.height));
  picture.close();
  if (text !== undefined) return text;
  throw new CameraRefusal(
    'No code could be read from this picture. Take it straight from the front and near enough, or paste the text.',
  );
}

async function openCamera(): Promise<MediaStream> {
  // Not there in pages that came over plain http from another machine.
  const devices = navigator.mediaDevices as MediaDevices | undefined;
  if (devices === undefined) {
    throw new CameraRefusal(
      'The browser gives this page no camera, because it did not come over https. Take a photo of the code instead, or paste the text.',
    );
  }
  try {
    return await devices.getUserMedia({ video: { facingMode: 'environment' } });
  } catch (error) {
    throw new CameraRefusal(wordsForCamera((error as Error).name), { cause: error });
  }
}

function wordsForCamera(name: string): string {
  switch (name) {
    case 'NotAllowedError':
      return 'The camera was not allowed. Allow it in the browser’s address bar, or take a photo of the code, or paste the text.';
    case 'NotFoundError':
      return 'There is no camera here. Use a picture of the code, or paste the text.';
    case 'NotReadableError':
      return 'Another program is using the camera. Close it there, or paste the text.';
    default:
      return `The camera does not work here (${name}). Use a picture of the code, or paste the text.`;
  }
}
