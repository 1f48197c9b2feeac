"""Uses a lab of two regions by boto3 alone, with OpenSSL beside it.

Standard input is a JSON object: "home" and "other" (regions), "urls" (of each region), "root" and "guest" (access key id, secret access key,
principal), "directory" (for files). Each step prints one line, {"step": its sentence, "error": null or a traceback}.
"""

import json
import os
import subprocess
import sys
import time
import traceback
import uuid

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

SETTINGS = json.load(sys.stdin)
HOME, OTHER = SETTINGS["home"], SETTINGS["other"]
CONTEXT = {"purpose": "boto3", "ünïcode": "✓"}
TEXT = b"what nobody else should read"
STEPS = []


def client(region, who="root"):
    key = SETTINGS[who]
    return boto3.client(
        "kms",
        region_name=region,
        endpoint_url=SETTINGS["urls"][region],
        aws_access_key_id=key["accessKeyId"],
        aws_secret_access_key=key["secretAccessKey"],
        config=Config(retries={"mode": "standard"}),
    )


kms, there, guest = client(HOME), client(OTHER), client(HOME, "guest")


def step(work):
    """A function whose docstring is the sentence that it shows."""
    STEPS.append(work)
    return work


def expect(found, wanted):
    if found != wanted:
        raise AssertionError(f"{found!r} is not {wanted!r}")


def refused(name, call, **arguments):
    """Expects that the service refuses a call with an exception."""
    try:
        answer = call(**arguments)
    except ClientError as error:
        expect(error.response["Error"]["Code"], name)
        if "RequestId" not in error.response["ResponseMetadata"]:
            raise AssertionError("a refusal has no request id") from error
        return error
    raise AssertionError(f"not refused: {answer!r}")


def until(sentence, ask):
    end = time.monotonic() + 30
    while not ask():
        if time.monotonic() > end:
            raise AssertionError(f"waited in vain until {sentence}")
        time.sleep(0.02)


def make_key(**request):
    return kms.create_key(**request)["KeyMetadata"]["Arn"]


def path_of(octets):
    path = os.path.join(SETTINGS["directory"], uuid.uuid4().hex)
    with open(path, "wb") as file:
        file.write(octets)
    return path


def openssl(*arguments):
    return subprocess.run(["openssl", *arguments], check=True, capture_output=True).stdout


def sealed_by_openssl(public_key, plaintext):
    """RSAES-OAEP with SHA-1."""
    return openssl(
        *["pkeyutl", "-encrypt", "-pubin", "-keyform", "DER", "-inkey", path_of(public_key)],
        *["-pkeyopt", "rsa_padding_mode:oaep", "-in", path_of(plaintext)],
    )


@step
def key_life():
    """makes, names, tags, disables, enables and deletes keys"""
    made = kms.create_key(Description="first", Tags=[{"TagKey": "a", "TagValue": "1"}])["KeyMetadata"]
    key_id = made["KeyId"]
    kms.update_key_description(KeyId=key_id, Description="sécond")
    found = kms.describe_key(KeyId=key_id)["KeyMetadata"]
    expect(found, {**made, "Description": "sécond"})
    expect(abs(found["CreationDate"].timestamp() - time.time()) < 60, True)
    kms.tag_resource(KeyId=key_id, Tags=[{"TagKey": "b", "TagValue": "2"}])
    kms.untag_resource(KeyId=key_id, TagKeys=["a"])
    expect(kms.list_resource_tags(KeyId=key_id)["Tags"], [{"TagKey": "b", "TagValue": "2"}])
    alias = f"alias/{uuid.uuid4().hex}"
    kms.create_alias(AliasName=alias, TargetKeyId=key_id)
    kms.update_alias(AliasName=alias, TargetKeyId=make_key())
    kms.update_alias(AliasName=alias, TargetKeyId=key_id)
    kms.disable_key(KeyId=key_id)
    refused("DisabledException", kms.encrypt, KeyId=alias, Plaintext=TEXT)
    kms.enable_key(KeyId=key_id)
    blob = kms.encrypt(KeyId=alias, Plaintext=TEXT)["CiphertextBlob"]
    kms.delete_alias(AliasName=alias)
    error = refused("NotFoundException", kms.encrypt, KeyId=alias, Plaintext=TEXT)
    expect(isinstance(error, kms.exceptions.NotFoundException), True)
    kms.schedule_key_deletion(KeyId=key_id, PendingWindowInDays=7)
    refused("KMSInvalidStateException", kms.decrypt, CiphertextBlob=blob)
    kms.cancel_key_deletion(KeyId=key_id)
    kms.enable_key(KeyId=key_id)
    expect(kms.decrypt(CiphertextBlob=blob)["Plaintext"], TEXT)


@step
def symmetric_keys():
    """encrypts, decrypts, re-encrypts and makes data keys and pairs"""
    key_id = make_key()
    blob = kms.encrypt(KeyId=key_id, Plaintext=TEXT, EncryptionContext=CONTEXT)["CiphertextBlob"]
    opened = kms.decrypt(CiphertextBlob=blob, EncryptionContext=CONTEXT)
    expect((opened["Plaintext"], opened["KeyId"]), (TEXT, key_id))
    refused("InvalidCiphertextException", kms.decrypt, CiphertextBlob=blob)
    moved = kms.re_encrypt(CiphertextBlob=blob, SourceEncryptionContext=CONTEXT, DestinationKeyId=make_key())
    expect(kms.decrypt(CiphertextBlob=moved["CiphertextBlob"])["Plaintext"], TEXT)
    data = kms.generate_data_key(KeyId=key_id, KeySpec="AES_256")
    expect(kms.decrypt(CiphertextBlob=data["CiphertextBlob"])["Plaintext"], data["Plaintext"])
    hidden = kms.generate_data_key_without_plaintext(KeyId=key_id, NumberOfBytes=77)["CiphertextBlob"]
    expect(len(kms.decrypt(CiphertextBlob=hidden)["Plaintext"]), 77)
    pair = kms.generate_data_key_pair(KeyId=key_id, KeyPairSpec="ECC_NIST_P256")
    public = openssl("pkey", "-inform", "DER", "-in", path_of(pair["PrivateKeyPlaintext"]), "-pubout", "-outform", "DER")
    expect(public, pair["PublicKey"])
    expect("PrivateKeyPlaintext" in kms.generate_data_key_pair_without_plaintext(KeyId=key_id, KeyPairSpec="ECC_NIST_P384"), False)
    expect(len(kms.generate_random(NumberOfBytes=33)["Plaintext"]), 33)


@step
def asymmetric_keys():
    """makes signatures and MACs, and opens what OpenSSL seals"""
    signer = make_key(KeySpec="ECC_NIST_P384", KeyUsage="SIGN_VERIFY")
    how = {"KeyId": signer, "Message": TEXT, "SigningAlgorithm": "ECDSA_SHA_384"}
    signature = kms.sign(**how)["Signature"]
    expect(kms.verify(**how, Signature=signature)["SignatureValid"], True)
    refused("KMSInvalidSignatureException", kms.verify, **{**how, "Message": b"other"}, Signature=signature)
    public = path_of(kms.get_public_key(KeyId=signer)["PublicKey"])
    key = ["-verify", public, "-keyform", "DER", "-signature", path_of(signature)]
    expect(openssl("dgst", "-sha384", *key, path_of(TEXT)).strip(), b"Verified OK")

    recipient = make_key(KeySpec="RSA_2048", KeyUsage="ENCRYPT_DECRYPT")
    sealed = sealed_by_openssl(kms.get_public_key(KeyId=recipient)["PublicKey"], TEXT)
    opened = kms.decrypt(KeyId=recipient, CiphertextBlob=sealed, EncryptionAlgorithm="RSAES_OAEP_SHA_1")
    expect(opened["Plaintext"], TEXT)

    mac = {"KeyId": make_key(KeySpec="HMAC_512", KeyUsage="GENERATE_VERIFY_MAC"), "Message": TEXT, "MacAlgorithm": "HMAC_SHA_512"}
    made = kms.generate_mac(**mac)["Mac"]
    expect((len(made), kms.verify_mac(**mac, Mac=made)["MacValid"]), (64, True))
    refused("KMSInvalidMacException", kms.verify_mac, **mac, Mac=b"x" * 64)


@step
def access():
    """lets others use keys by key policies and grants, and no longer"""
    key_id = make_key()
    blob = kms.encrypt(KeyId=key_id, Plaintext=TEXT)["CiphertextBlob"]
    refused("AccessDeniedException", guest.decrypt, CiphertextBlob=blob)
    grantee = {"KeyId": key_id, "GranteePrincipal": SETTINGS["guest"]["principal"], "Operations": ["Decrypt", "RetireGrant"]}
    grant = kms.create_grant(**grantee, RetiringPrincipal=SETTINGS["root"]["principal"])
    expect(guest.decrypt(CiphertextBlob=blob, GrantTokens=[grant["GrantToken"]])["Plaintext"], TEXT)
    expect([found["GrantId"] for found in kms.list_grants(KeyId=key_id)["Grants"]], [grant["GrantId"]])
    guest.retire_grant(KeyId=key_id, GrantId=grant["GrantId"])
    refused("AccessDeniedException", guest.decrypt, CiphertextBlob=blob)
    kms.revoke_grant(KeyId=key_id, GrantId=kms.create_grant(**grantee)["GrantId"])
    refused("AccessDeniedException", guest.decrypt, CiphertextBlob=blob)
    policy = json.loads(kms.get_key_policy(KeyId=key_id, PolicyName="default")["Policy"])
    who = {"AWS": SETTINGS["guest"]["principal"]}
    policy["Statement"].append({"Effect": "Allow", "Principal": who, "Action": "kms:Decrypt", "Resource": "*"})
    kms.put_key_policy(KeyId=key_id, PolicyName="default", Policy=json.dumps(policy))
    expect(guest.decrypt(CiphertextBlob=blob)["Plaintext"], TEXT)
    refused("MalformedPolicyDocumentException", kms.put_key_policy, KeyId=key_id, PolicyName="default", Policy="{")


@step
def rotation():
    """rotates keys, and decrypts what was encrypted before"""
    key_id = make_key()
    blob = kms.encrypt(KeyId=key_id, Plaintext=TEXT)["CiphertextBlob"]
    kms.enable_key_rotation(KeyId=key_id)
    expect(kms.get_key_rotation_status(KeyId=key_id)["KeyRotationEnabled"], True)
    kms.disable_key_rotation(KeyId=key_id)
    expect(kms.get_key_rotation_status(KeyId=key_id)["KeyRotationEnabled"], False)
    # Debian's boto3 is older than these two operations.
    if hasattr(kms, "rotate_key_on_demand"):
        kms.rotate_key_on_demand(KeyId=key_id)
        expect([found["RotationType"] for found in kms.list_key_rotations(KeyId=key_id)["Rotations"]], ["ON_DEMAND"])
    expect(kms.decrypt(CiphertextBlob=blob)["Plaintext"], TEXT)


@step
def multi_region():
    """replicates a key, decrypts in the other region, and makes its replica the primary"""
    key_id = kms.create_key(MultiRegion=True)["KeyMetadata"]["KeyId"]
    replicated = kms.replicate_key(KeyId=key_id, ReplicaRegion=OTHER, Description="there")
    expect(replicated["ReplicaKeyMetadata"]["KeyState"], "Creating")

    def shown(where):
        try:
            found = where.describe_key(KeyId=key_id)["KeyMetadata"]
        except where.exceptions.NotFoundException:
            return None
        of = found["MultiRegionConfiguration"]
        return (of["MultiRegionKeyType"], found["KeyState"], len(of["ReplicaKeys"]))

    until("both regions know the replica", lambda: shown(there) == ("REPLICA", "Enabled", 1) and shown(kms) == ("PRIMARY", "Enabled", 1))
    blob = kms.encrypt(KeyId=key_id, Plaintext=TEXT, EncryptionContext=CONTEXT)["CiphertextBlob"]
    opened = there.decrypt(CiphertextBlob=blob, EncryptionContext=CONTEXT)
    expect((opened["Plaintext"], opened["KeyId"].split(":")[3]), (TEXT, OTHER))
    refused("UnsupportedOperationException", there.replicate_key, KeyId=key_id, ReplicaRegion=HOME)
    kms.update_primary_region(KeyId=key_id, PrimaryRegion=OTHER)
    until("the replica is the primary", lambda: shown(there) == ("PRIMARY", "Enabled", 1))


@step
def imports():
    """imports key material that OpenSSL wrapped, and deletes it"""
    key_id = make_key(Origin="EXTERNAL", KeySpec="HMAC_256", KeyUsage="GENERATE_VERIFY_MAC")
    parameters = kms.get_parameters_for_import(KeyId=key_id, WrappingAlgorithm="RSAES_OAEP_SHA_1", WrappingKeySpec="RSA_2048")
    material = os.urandom(32)
    kms.import_key_material(
        KeyId=key_id,
        ImportToken=parameters["ImportToken"],
        EncryptedKeyMaterial=sealed_by_openssl(parameters["PublicKey"], material),
        ExpirationModel="KEY_MATERIAL_EXPIRES",
        ValidTo=time.time() + 3600,
    )
    found = kms.describe_key(KeyId=key_id)["KeyMetadata"]
    expect((found["KeyState"], found["ExpirationModel"]), ("Enabled", "KEY_MATERIAL_EXPIRES"))
    mac = {"KeyId": key_id, "Message": TEXT, "MacAlgorithm": "HMAC_SHA_256"}
    key = f"hexkey:{material.hex()}"
    expect(kms.generate_mac(**mac)["Mac"], openssl("dgst", "-sha256", "-mac", "HMAC", "-macopt", key, "-binary", path_of(TEXT)))
    kms.delete_imported_key_material(KeyId=key_id)
    refused("KMSInvalidStateException", kms.generate_mac, **mac)


@step
def lists():
    """reads lists to their ends, one item a page"""
    key_id = make_key(Tags=[{"TagKey": name, "TagValue": ""} for name in "abc"])
    aliases = sorted(f"alias/{uuid.uuid4().hex}" for _ in range(3))
    for alias in aliases:
        kms.create_alias(AliasName=alias, TargetKeyId=key_id)
    grantee = {"KeyId": key_id, "GranteePrincipal": SETTINGS["guest"]["principal"], "Operations": ["Decrypt"]}
    grants = sorted(kms.create_grant(**grantee, Name=name)["GrantId"] for name in "abc")

    def read(operation, path, **request):
        pages = kms.get_paginator(operation).paginate(**request, PaginationConfig={"PageSize": 1})
        return sorted(pages.search(path))

    expect(read("list_aliases", "Aliases[].AliasName", KeyId=key_id), aliases)
    expect(read("list_grants", "Grants[].GrantId", KeyId=key_id), grants)
    expect(read("list_resource_tags", "Tags[].TagKey", KeyId=key_id), ["a", "b", "c"])
    expect(read("list_key_policies", "PolicyNames[]", KeyId=key_id), ["default"])
    found = read("list_keys", "Keys[].KeyArn")
    expect((key_id in found, len(found)), (True, len(set(found))))


for work in STEPS:
    try:
        work()
        error = None
    except Exception:
        error = traceback.format_exc()
    print(json.dumps({"step": work.__doc__, "error": error}), flush=True)
