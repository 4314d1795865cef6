// SPDX-License-Identifier: GPL-3.0-or-later
// What three.js's GLTFLoader finds in a GLB file, as JSON: node gltf_three.mjs FILE, with the package three beside it.

import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { pathToFileURL } from 'node:url';

globalThis.self = globalThis;
// A browser decodes pictures; here their size tells that they are whole.
globalThis.createImageBitmap = async (blob) => {
  const data = Buffer.from(await blob.arrayBuffer());
  if (data.readUInt32BE(0) !== 0x89504e47) throw new Error('no PNG');
  return { width: data.readUInt32BE(16), height: data.readUInt32BE(20), close() {} };
};
const there = createRequire(`${process.cwd()}/`);
const THREE = await import(pathToFileURL(there.resolve('three')).href.replace('three.cjs', 'three.module.js'));
const { GLTFLoader } = await import(pathToFileURL(there.resolve('three/examples/jsm/loaders/GLTFLoader.js')).href);

const bytes = readFileSync(process.argv[2]);
const data = bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength);
const gltf = await new GLTFLoader().parseAsync(data, '');
gltf.scene.updateMatrixWorld(true);
const meshes = [], pictures = new Set(), groups = new Map();
gltf.scene.traverse((node) => {
  if (!node.isMesh) return;
  meshes.push(node);
  const name = node.parent.isGroup ? node.parent.name : node.name;
  groups.set(name, [...(groups.get(name) ?? []), node]);
  for (const kind of ['map', 'normalMap', 'roughnessMap']) if (node.material[kind]?.image?.width) pictures.add(node.material[kind].uuid);
});
const count = (parts) => parts.reduce((sum, one) => sum + one.geometry.attributes.position.count, 0);
const skin = [...groups.values()].sort((a, b) => count(b) - count(a))[0];
const low = [1e9, 1e9, 1e9], high = [-1e9, -1e9, -1e9], point = new THREE.Vector3(), offset = new THREE.Vector3();
let jaw = 0, weights = null, faces = 0, regions = new Set();
for (const part of skin) {
  const geometry = part.geometry, morphs = geometry.morphAttributes.position, at = part.morphTargetDictionary?.jawOpen;
  faces += geometry.index.count / 3;
  for (let i = 0; i < geometry.attributes.position.count; i++) {
    part.getVertexPosition(i, point).applyMatrix4(part.matrixWorld);
    point.toArray().forEach((value, axis) => { low[axis] = Math.min(low[axis], value); high[axis] = Math.max(high[axis], value); });
    if (at !== undefined) jaw = Math.max(jaw, offset.fromBufferAttribute(morphs[at], i).length());
    if (part.isSkinnedMesh) {
      const own = geometry.attributes.skinWeight;
      weights = Math.max(weights ?? 0, Math.abs(own.getX(i) + own.getY(i) + own.getZ(i) + own.getW(i) - 1));
    }
    if (geometry.attributes._region) regions.add(geometry.attributes._region.getX(i));
  }
}
regions.delete(-1);
const names = Object.keys(skin[0].morphTargetDictionary ?? {});
const values = Object.fromEntries(names.map((name) => [name, Math.round(1e4 * skin[0].morphTargetInfluences[skin[0].morphTargetDictionary[name]]) / 1e4]).filter(([, value]) => Math.abs(value) > 1e-4));
const joints = skin[0].skeleton?.bones.map((bone) => bone.name) ?? [];
console.log(JSON.stringify({
  meshes: groups.size, faces, keys: names.sort(), values, jaw_mm: jaw * 1000, joints: joints.sort(),
  weights: weights === null ? null : Math.round(1e4 * weights) / 1e4, regions: regions.size,
  pictures: [...pictures], box_mm: low.map((value, axis) => Math.round(10000 * (high[axis] - value)) / 10).sort((a, b) => a - b),
}));
